//! Profile and picture, as far as they go without a store.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

async fn change(stack: &Stack, person: &Person, body: Value) -> (u16, Value) {
    let request = stack.request(Method::PATCH, "/api/me");
    let (status, body) = answer(request.bearer_auth(&person.token).json(&body)).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn a_person_changes_what_they_say_and_nothing_else() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let body = json!({"bio": " I film rivers. ", "language": "en", "time_zone": "Asia/Taipei", "role": "admin"});
    let (status, me) = change(&stack, &ann, body).await;
    assert_eq!((status, me["bio"].as_str()), (200, Some("I film rivers.")));
    assert_eq!(
        (me["time_zone"].as_str(), me["role"].as_str()),
        (Some("Asia/Taipei"), Some("user"))
    );
    // What is left out stays; empty goes.
    let (_, me) = change(&stack, &ann, json!({"time_zone": "", "bio": ""})).await;
    assert_eq!(
        (
            me["time_zone"].as_str(),
            me["bio"].as_str(),
            me["language"].as_str()
        ),
        (None, Some(""), Some("en"))
    );
    let bad = [
        json!({"bio": "x".repeat(2_001)}),
        json!({"language": "fr"}),
        json!({"time_zone": "Mars/Olympus"}),
        json!({"bio": "a\u{0}b"}),
    ];
    for body in bad {
        let (status, problem) = change(&stack, &ann, body).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (422, Some("validation"))
        );
    }
    assert_eq!(
        answer(stack.request(Method::PATCH, "/api/me").json(&json!({})))
            .await
            .0,
        401
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_picture_is_signed_for_its_sender_only() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    for (kind, size) in [
        ("image/svg+xml", 10),
        ("image/png", 0),
        ("image/png", 8_388_609),
    ] {
        let body = json!({"content_type": kind, "size": size});
        assert_eq!(
            stack.post_as(&ann, "/api/me/avatar", body).await.0,
            422,
            "{kind} {size}"
        );
    }
    let body = json!({"content_type": "image/png", "size": 1_000});
    let (status, target) = stack.post_as(&ann, "/api/me/avatar", body).await;
    assert_eq!(
        (status.as_u16(), target["headers"]["if-none-match"].as_str()),
        (201, Some("*"))
    );
    let id = target["avatar_id"].as_str().unwrap();
    let path = format!("/api/me/avatar/{id}");
    assert_eq!(stack.get_as(&ann, &path).await.1["status"], "pending");
    assert_eq!(stack.get_as(&bob, &path).await.0, 404);
    assert_eq!(
        stack
            .post_as(&bob, &format!("{path}/complete"), json!({}))
            .await
            .0,
        404
    );
    // Not shown before it is ready, in no other size, and no other thing.
    for path in [
        format!("{id}/256"),
        format!("{id}/65"),
        format!("{id}/x"),
        "x/64".to_owned(),
    ] {
        let shown = answer(stack.request(Method::GET, &format!("/api/avatars/{path}"))).await;
        assert_eq!(shown.0, 404, "{path}");
    }
    stack.stop().await;
}
