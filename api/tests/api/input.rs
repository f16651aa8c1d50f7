//! Wrong input of every kind is a problem, never a 500.

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf},
};

use crate::stack::{Stack, answer};

#[tokio::test]
async fn bodies_that_are_wrong_are_400_413_415_or_422() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let paths = ["/api/auth/register", "/api/auth/login", "/api/uploads"];
    let large = format!(r#"{{"filename": "{}"}}"#, "x".repeat(70_000));
    let cases: [(&str, &str, u16); 9] = [
        ("application/json", "", 400),
        ("application/json", "{", 400),
        ("application/json", "{} {}", 422),
        ("application/json", "[]", 422),
        ("application/json", "null", 422),
        (
            "application/json",
            r#"{"username": 1, "identifier": {}, "filename": []}"#,
            422,
        ),
        ("application/json", "{}", 422),
        ("text/plain", "{}", 415),
        ("application/json", &large, 413),
    ];
    for path in paths {
        for (kind, body, expected) in cases {
            let request = stack
                .request(Method::POST, path)
                .bearer_auth(&ann.token)
                .header("content-type", kind);
            let (status, problem) = answer(request.body(body.to_owned())).await;
            assert_eq!(status.as_u16(), expected, "{path} {body:.40}: {problem}");
            assert!(
                problem["code"].is_string() && problem["title"].is_string(),
                "{problem}"
            );
        }
    }
    stack.stop().await;
}

#[tokio::test]
async fn characters_that_the_database_cannot_store_are_422() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let nul = "a\u{0}b";
    let bodies = [
        (
            "/api/auth/login",
            json!({"identifier": nul, "password": "x"}),
        ),
        (
            "/api/auth/register",
            json!({"username": nul, "email": nul, "password": nul}),
        ),
        (
            "/api/uploads",
            json!({"filename": format!("{nul}.mp4"), "size": 1, "content_type": ""}),
        ),
    ];
    for (path, body) in bodies {
        assert_eq!(stack.post_as(&ann, path, body).await.0, 422, "{path}");
    }
    let (status, _) = stack.get_as(&ann, "/api/videos?query=%00").await;
    assert_eq!(status, 400);
    let cursor = "eyJzIjoibmV3IiwidCI6IjIwMjYtMDEtMDFUMDA6MDA6MDBaIiwibiI6IlwwIiwiaSI6IjAifQ";
    assert_eq!(
        stack
            .get_as(&ann, &format!("/api/videos?cursor={cursor}"))
            .await
            .0,
        200
    );
    stack.stop().await;
}

#[tokio::test]
async fn ids_that_are_none_are_404_and_queries_that_are_wrong_400() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let missing = uuid::Uuid::now_v7();
    for id in [
        "x",
        "0",
        "..%2f..",
        &missing.simple().to_string(),
        &missing.to_string(),
        "%00",
        "%ff",
    ] {
        for path in [
            format!("/api/videos/{id}"),
            format!("/api/uploads/{id}"),
            format!("/api/videos/{id}/poster"),
        ] {
            let (status, problem) = stack.get_as(&ann, &path).await;
            assert_eq!(status.as_u16(), 404, "{path}: {problem}");
        }
    }
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "sort=worst",
        "owner=you",
        "limit=99999999999999999999",
    ] {
        let (status, problem) = stack.get_as(&ann, &format!("/api/videos?{query}")).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (400, Some("validation")),
            "{query}"
        );
    }
    for path in [
        "/api/nothing",
        "/api",
        "/api/hls/x/vod/master.m3u8",
        "/api/hls/x/s/v720/0.m4s",
        "/api/hls/x/y/z",
        "/api/hls/%ff/vod/a.m3u8",
    ] {
        assert_eq!(stack.get_as(&ann, path).await.0, 404, "{path}");
    }
    let (status, _) = answer(stack.request(Method::DELETE, "/api/me")).await;
    assert_eq!(status, 405);
    let (status, _) = answer(stack.request(Method::GET, "/api/ws")).await;
    assert_eq!(status, 400);
    stack.stop().await;
}

#[tokio::test]
async fn files_that_are_not_accepted_are_refused_before_they_travel() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let cases = [
        (
            json!({"filename": "a.exe", "size": 1, "content_type": "video/mp4"}),
            "file_type_not_allowed",
        ),
        (
            json!({"filename": "a.mp4", "size": 1, "content_type": "text/html"}),
            "file_type_not_allowed",
        ),
        (
            json!({"filename": "a.mp4", "size": 10_737_418_241_u64, "content_type": "video/mp4"}),
            "file_too_large",
        ),
        (
            json!({"filename": "a.mp4", "size": 0, "content_type": "video/mp4"}),
            "validation",
        ),
        (
            json!({"filename": "a.mp4", "size": -1, "content_type": "video/mp4"}),
            "validation",
        ),
        (
            json!({"filename": "x".repeat(256) + ".mp4", "size": 1, "content_type": ""}),
            "validation",
        ),
    ];
    for (body, code) in cases {
        let (status, problem) = stack.post_as(&ann, "/api/uploads", body).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (422, Some(code))
        );
    }
    // The store of this test is away.
    let body = json!({"filename": "a.mp4", "size": 100_000_000, "content_type": "video/mp4"});
    let (status, problem) = stack.post_as(&ann, "/api/uploads", body).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (503, Some("unavailable"))
    );
    stack.stop().await;
}

#[tokio::test]
async fn every_answer_is_protected_and_the_process_tells_how_it_is() {
    let stack = Stack::start().await;
    let health = stack.request(Method::GET, "/health").send().await.unwrap();
    assert_eq!(health.status(), 200);
    for name in [
        "content-security-policy",
        "x-content-type-options",
        "referrer-policy",
        "x-request-id",
    ] {
        assert!(health.headers().contains_key(name), "{name}");
    }
    let policy = health.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.contains("frame-ancestors 'none'") && policy.contains("http://127.0.0.1:9"),
        "{policy}"
    );
    let ready = stack.request(Method::GET, "/ready").send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(
        (
            ready["checks"]["database"].as_str(),
            ready["checks"]["storage"].as_str()
        ),
        (Some("ok"), Some("failed"))
    );

    let elsewhere = stack
        .request(Method::GET, "/videos?x=1")
        .header("host", "localhost:1")
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), 307);
    assert_eq!(
        elsewhere.headers()["location"],
        stack.url("/videos?x=1").as_str()
    );
    let document = stack
        .request(Method::GET, "/api/openapi.json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        document.json::<serde_json::Value>().await.unwrap()["info"]["title"],
        "Millrace"
    );
    stack.stop().await;
}

/// A refusal that needs only the headers comes while the body is still under way; the connection must survive it, or
/// the client sees a broken pipe instead of the answer.
#[tokio::test]
async fn an_answer_before_the_end_of_the_body_leaves_the_connection_whole() {
    let stack = Stack::start().await;
    let url: reqwest::Url = stack.url("/").parse().unwrap();
    let host = url.host_str().unwrap();
    let port = url.port().unwrap();
    let stream = TcpStream::connect((host, port)).await.unwrap();
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    for _ in 0..3 {
        let head = format!(
            "PATCH /api/videos/none HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n\
             content-length: 60000\r\n\r\n"
        );
        writing.write_all(head.as_bytes()).await.unwrap();
        writing.write_all(&[b' '; 20_000]).await.unwrap();
        let status = read_answer(&mut reading).await;
        assert!(status.starts_with("HTTP/1.1 4"), "{status}");
        writing.write_all(&[b' '; 40_000]).await.unwrap();
    }
    stack.stop().await;
}

/// Reads one answer to its end and returns its status line.
async fn read_answer(reading: &mut BufReader<OwnedReadHalf>) -> String {
    let (mut status, mut length) = (String::new(), 0);
    reading.read_line(&mut status).await.unwrap();
    loop {
        let mut line = String::new();
        reading.read_line(&mut line).await.unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    reading.read_exact(&mut vec![0; length]).await.unwrap();
    status
}
