//! Whatever is sent to whichever operation, it is answered by a problem and not by a failure.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Person, Stack, within};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test(flavor = "multi_thread")]
async fn no_garbage_makes_the_api_fail() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let person = Person::register(&stack).await?;
    let stranger = Person::stranger(&stack)?;
    stranger
        .send(
            Method::POST,
            "/api/auth/login",
            &[JSON],
            b"{\"identifier\":".to_vec(),
        )
        .await?
        .expect_problem(400, "malformed")?;
    let large = json!({ "identifier": "x".repeat(70_000), "password": "y" })
        .to_string()
        .into_bytes();
    stranger
        .send(Method::POST, "/api/auth/login", &[JSON], large)
        .await?
        .expect_problem(413, "payload_too_large")?;
    let plain = stranger
        .send(
            Method::POST,
            "/api/auth/login",
            &[("content-type", "text/plain")],
            b"{}".to_vec(),
        )
        .await?;
    plain.expect_problem(415, "unsupported_media_type")?;
    stranger
        .get("/api/nothing/here")
        .await?
        .expect_problem(404, "not_found")?;

    let document = stranger.get("/api/openapi.json").await?.expect(200)?;
    let mut calls = 0;
    for (path, operations) in document["paths"].as_object().context("no paths")? {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else {
                continue;
            };
            if !matches!(method.as_str(), "GET" | "POST" | "PUT" | "PATCH" | "DELETE")
                || path.contains("logout")
            {
                continue;
            }
            for address in addresses(path, operation) {
                for body in bodies() {
                    for caller in [&person, &stranger] {
                        let sent = caller.send(method.clone(), &address, &[JSON], body.clone());
                        let what = format!(
                            "{method} {address} {}",
                            String::from_utf8_lossy(&body)
                                .chars()
                                .take(60)
                                .collect::<String>()
                        );
                        let answer = within(&what, Duration::from_secs(20), sent).await??;
                        anyhow::ensure!(
                            !answer.status.is_server_error(),
                            "{what}: {} {}",
                            answer.status,
                            answer.text
                        );
                        if answer.status.is_client_error() && address.starts_with("/api/") {
                            answer.expect_any_problem().context(what)?;
                        }
                        calls += 1;
                    }
                }
            }
        }
    }
    assert!(calls > 500, "only {calls} calls");
    stack.abandon().await
}

/// Addresses of a path with ids of nothing, and with what is no id; and with queries that are none.
fn addresses(path: &str, operation: &Value) -> Vec<String> {
    let absent = Uuid::now_v7().to_string();
    let mut addresses = Vec::new();
    let values = [
        "1",
        "%00",
        "..%2f..%2fetc",
        "'%20or%201=1",
        "%F0%9F%98%80",
        &"a".repeat(3000),
        &absent,
        "%ff%fe",
    ];
    if path.contains('{') {
        for value in values {
            let mut address = String::new();
            for piece in path.split_inclusive(['{', '}']) {
                match piece.strip_suffix('}') {
                    Some(_) => address.push_str(value),
                    None => address.push_str(piece.trim_end_matches('{')),
                }
            }
            addresses.push(address);
        }
    } else {
        addresses.push(path.to_owned());
    }
    let queries: Vec<&str> = operation["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|parameter| parameter["in"] == "query")
        .filter_map(|parameter| parameter["name"].as_str())
        .collect();
    let plain = addresses.clone();
    for name in queries {
        for value in [
            "",
            "-1",
            "99999999999999999999",
            "%00",
            "%ff",
            "'",
            "%25%27%20or",
            "null",
            &"z".repeat(5000),
        ] {
            addresses.push(format!("{}?{name}={value}", plain[plain.len() - 1]));
        }
    }
    addresses
}

/// Bodies that nobody asked for.
fn bodies() -> Vec<Vec<u8>> {
    let fields = [
        "username",
        "email",
        "password",
        "identifier",
        "filename",
        "size",
        "content_type",
        "title",
        "description",
        "visibility",
        "parts",
        "part_numbers",
        "language",
    ];
    let all = |value: Value| -> Value {
        fields
            .iter()
            .map(|field| ((*field).to_owned(), value.clone()))
            .collect()
    };
    let texts = [
        json!(null),
        json!(-1),
        json!(1e300),
        json!(18_446_744_073_709_551_615_u64),
        json!("\u{0}"),
        json!("\u{202e}\u{fffd}😀"),
        json!([[[]]]),
        json!([0, -1, 99_999_999]),
        json!([{ "part_number": -5, "etag": "\u{0}" }]),
    ];
    let mut bodies: Vec<Vec<u8>> = texts
        .into_iter()
        .map(|value| all(value).to_string().into_bytes())
        .collect();
    for text in ["", "{", "[]", "null", "\"x\"", "{\"title\":\"\\ud800\"}"] {
        bodies.push(text.as_bytes().to_vec());
    }
    bodies.push("[".repeat(50_000).into_bytes());
    bodies.push(vec![0xff, 0xfe, 0x00]);
    bodies
}
