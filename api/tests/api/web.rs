//! The built web application: what is compressed, what may be kept, and which address is a page.

use reqwest::{Method, Response, header::HeaderMap};
use tempfile::TempDir;

use crate::stack::Stack;

const PAGE: &str = "<!doctype html><title>Millrace</title>";

async fn start() -> (Stack, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    put("index.html", PAGE);
    put("robots.txt", "User-agent: *\n");
    std::fs::create_dir(dir.path().join("assets")).unwrap();
    put("assets/app-1a2b.js", "console.log(1)");
    put("assets/app-1a2b.js.br", "as if compressed by brotli");
    put("assets/app-1a2b.js.gz", "as if compressed by gzip");
    let stack = Stack::start_with(&format!("[web]\ndir = {:?}", dir.path())).await;
    (stack, dir)
}

async fn get(stack: &Stack, path: &str, name: &str, value: &str) -> Response {
    let request = stack.request(Method::GET, path).header(name, value);
    request.send().await.unwrap()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn assets_are_kept_for_ever_in_the_encoding_that_is_taken() {
    let (stack, _dir) = start().await;
    let path = "/assets/app-1a2b.js";
    for (takes, encoding, text) in [
        ("gzip, br", "br", "as if compressed by brotli"),
        ("gzip", "gzip", "as if compressed by gzip"),
        ("identity", "", "console.log(1)"),
    ] {
        let response = get(&stack, path, "accept-encoding", takes).await;
        let headers = response.headers().clone();
        assert_eq!(header(&headers, "content-encoding"), encoding);
        assert_eq!(header(&headers, "vary"), "accept-encoding");
        assert_eq!(
            header(&headers, "cache-control"),
            "public, max-age=31536000, immutable"
        );
        assert_eq!(response.text().await.unwrap(), text);
        // What a 304 says of keeping replaces what was said before.
        let tag = header(&headers, "etag");
        assert_ne!(tag, "");
        let request = stack
            .request(Method::GET, path)
            .header("accept-encoding", takes);
        let again = request.header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
        assert_eq!(
            header(again.headers(), "cache-control"),
            "public, max-age=31536000, immutable"
        );
    }
    let missing = get(&stack, "/assets/app-0000.js", "accept", "*/*").await;
    assert_eq!(
        (
            missing.status().as_u16(),
            header(missing.headers(), "cache-control")
        ),
        (404, "no-store")
    );
    stack.stop().await;
}

#[tokio::test]
async fn the_page_is_every_address_without_a_file_and_never_kept_unasked() {
    let (stack, _dir) = start().await;
    for path in [
        "/",
        "/videos/1",
        "/index.html",
        "/assets",
        "//evil.example/",
        "/..%2f..%2fetc/passwd",
    ] {
        let page = get(&stack, path, "accept", "*/*").await;
        let headers = page.headers().clone();
        assert_eq!(page.status(), 200, "{path}");
        assert_eq!(header(&headers, "cache-control"), "no-cache", "{path}");
        assert!(header(&headers, "content-security-policy").contains("script-src 'self';"));
        assert_eq!(header(&headers, "x-content-type-options"), "nosniff");
        assert_eq!(page.text().await.unwrap(), PAGE, "{path}");
        for (name, value) in [
            ("if-none-match", header(&headers, "etag")),
            ("if-modified-since", header(&headers, "last-modified")),
        ] {
            let again = get(&stack, path, name, value).await;
            assert_eq!(again.status(), 304, "{path} {name}");
            assert_eq!(header(again.headers(), "cache-control"), "no-cache");
        }
    }
    let robots = get(&stack, "/robots.txt", "accept", "*/*").await;
    assert_eq!(header(robots.headers(), "cache-control"), "no-cache");
    assert_eq!(robots.text().await.unwrap(), "User-agent: *\n");
    let head = stack.request(Method::HEAD, "/").send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(
        header(head.headers(), "content-length"),
        PAGE.len().to_string()
    );
    stack.stop().await;
}

#[tokio::test]
async fn pages_under_another_host_name_lead_to_the_public_one() {
    let (stack, _dir) = start().await;
    let moved = get(&stack, "/videos?x=1", "host", "localhost:1").await;
    assert_eq!(moved.status(), 307);
    assert_eq!(
        header(moved.headers(), "location"),
        stack.url("/videos?x=1")
    );
    let api = get(&stack, "/api/config", "host", "localhost:1").await;
    assert_eq!(api.status(), 200);
    // Nobody else's page may read: no answer speaks of origins.
    let foreign = get(&stack, "/api/config", "origin", "https://evil.example").await;
    assert!(
        foreign
            .headers()
            .keys()
            .all(|name| !name.as_str().starts_with("access-control"))
    );
    stack.stop().await;

    let settings = "[server]\nallowed_origins = [\"https://friend.example\"]";
    let stack = Stack::start_with(settings).await;
    for (origin, allowed) in [
        ("https://friend.example", "https://friend.example"),
        ("https://evil.example", ""),
    ] {
        let answer = get(&stack, "/api/config", "origin", origin).await;
        assert_eq!(
            header(answer.headers(), "access-control-allow-origin"),
            allowed
        );
    }
    stack.stop().await;
}
