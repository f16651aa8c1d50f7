//! Signatures, presigned URLs, CORS.

use super::*;

#[tokio::test]
async fn signatures_are_required_and_checked() {
    let stack = Stack::start().await;
    stack.put("k", "hello").await;
    let wrong = client(
        &stack.endpoint,
        "guess",
        RequestChecksumCalculation::WhenRequired,
    );
    let refused = wrong
        .get_object()
        .bucket("media")
        .key("k")
        .send()
        .await
        .unwrap_err();
    assert_eq!(code(&refused), "SignatureDoesNotMatch");
    let anonymous = stack
        .http
        .get(format!("{}/media/k", stack.endpoint))
        .send()
        .await
        .unwrap();
    assert_eq!(anonymous.status(), StatusCode::FORBIDDEN);
    assert!(
        anonymous
            .text()
            .await
            .unwrap()
            .contains("<Code>AccessDenied</Code>")
    );

    let get = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .response_content_type("text/x")
        .presigned(within(60))
        .await
        .unwrap();
    let answer = stack.http.get(get.uri()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/x");
    assert_eq!(answer.text().await.unwrap(), "hello");
    let forged = [
        get.uri().replace("/k?", "/other?"),
        get.uri().replace("text%2Fx", "text%2Fy"),
        get.uri().replace("Expires=60", "Expires=6000"),
    ];
    for uri in forged {
        assert_ne!(uri, get.uri());
        assert_eq!(
            stack.http.get(uri).send().await.unwrap().status(),
            StatusCode::FORBIDDEN
        );
    }
    assert_eq!(
        stack.http.delete(get.uri()).send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );

    let old = PresigningConfig::builder()
        .start_time(std::time::SystemTime::now() - Duration::from_secs(120))
        .expires_in(Duration::from_secs(60));
    let old = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .presigned(old.build().unwrap())
        .await
        .unwrap();
    let expired = stack.http.get(old.uri()).send().await.unwrap();
    assert_eq!(expired.status(), StatusCode::FORBIDDEN);
    assert!(expired.text().await.unwrap().contains("expired"));
}

#[tokio::test]
async fn a_presigned_put_takes_exactly_the_signed_length_and_type() {
    let stack = Stack::start().await;
    let put = stack
        .s3
        .put_object()
        .bucket("media")
        .key("up")
        .content_length(5)
        .content_type("video/mp4");
    let put = put.presigned(within(60)).await.unwrap();
    let send = |kind: &'static str, body: &'static str| {
        stack
            .http
            .put(put.uri())
            .header("content-type", kind)
            .body(body)
            .send()
    };
    assert_eq!(
        send("video/mp4", "too long").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        send("text/html", "12345").await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    let missing = stack
        .s3
        .head_object()
        .bucket("media")
        .key("up")
        .send()
        .await;
    assert!(missing.unwrap_err().into_service_error().is_not_found());
    let stored = send("video/mp4", "12345").await.unwrap();
    assert_eq!(stored.status(), StatusCode::OK);
    assert_eq!(
        stored.headers()["etag"],
        "\"827ccb0eea8a706c4c34a16891f84e7b\""
    );

    let id = stack.begin("multi").await;
    let part = stack
        .s3
        .upload_part()
        .bucket("media")
        .key("multi")
        .upload_id(&id)
        .part_number(1);
    let part = part.presigned(within(60)).await.unwrap();
    let sent = stack
        .http
        .put(part.uri())
        .body("part")
        .send()
        .await
        .unwrap();
    let etag = sent.headers()["etag"].to_str().unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(etag).build();
    stack.complete("multi", &id, &[part]).await.unwrap();
    assert_eq!(stack.text("multi").await, "part");
}

#[tokio::test]
async fn pages_of_the_public_origin_and_no_others_may_read() {
    let stack = Stack::start().await;
    stack.put("k", "hello").await;
    let preflight = |origin: &'static str| {
        let request = stack.http.request(
            reqwest::Method::OPTIONS,
            format!("{}/media/k", stack.endpoint),
        );
        let request = request
            .header("origin", origin)
            .header("access-control-request-method", "PUT");
        request
            .header("access-control-request-headers", "content-type")
            .send()
    };
    let allowed = preflight(ORIGIN).await.unwrap();
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(allowed.headers()["access-control-allow-origin"], ORIGIN);
    assert_eq!(
        allowed.headers()["access-control-allow-headers"],
        "content-type"
    );
    assert!(
        allowed.headers()["access-control-allow-methods"]
            .to_str()
            .unwrap()
            .contains("PUT")
    );
    assert!(
        !preflight("http://evil.example")
            .await
            .unwrap()
            .headers()
            .contains_key("access-control-allow-origin")
    );

    let get = stack
        .s3
        .get_object()
        .bucket("media")
        .key("k")
        .presigned(within(60))
        .await
        .unwrap();
    let answer = stack
        .http
        .get(get.uri())
        .header("origin", ORIGIN)
        .header("range", "bytes=0-1")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    let exposed = answer.headers()["access-control-expose-headers"]
        .to_str()
        .unwrap()
        .to_lowercase();
    for name in ["etag", "content-range", "content-length", "accept-ranges"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // A refusal must be readable by the page too.
    let refused = stack
        .http
        .get(format!("{}/media/k", stack.endpoint))
        .header("origin", ORIGIN)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.headers()["access-control-allow-origin"], ORIGIN);
}
