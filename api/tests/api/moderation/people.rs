//! People who are locked out, and what they can still do.

use millrace_domain::accounts::{Role, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::{decide, mails, staff, text, try_to};
use crate::{
    socket::Socket,
    stack::{PASSWORD, Stack, answer},
};

#[tokio::test]
async fn who_is_suspended_is_out_at_once_and_can_still_appeal() {
    let stack = Stack::start().await;
    let (ann, admin) = (
        stack.person("ann").await,
        staff(&stack, "ada", Role::Admin).await,
    );
    let operator = staff(&stack, "olga", Role::Operator).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let id = ann.id.to_string();
    let (status, _) = try_to(&stack, &operator, "channel", &id, "suspend").await;
    assert_eq!(status, 403);
    let (status, problem) = try_to(&stack, &admin, "channel", &id, "hide").await;
    assert_eq!((status, &problem["code"]), (422, &json!("not_for_target")));
    for (target, code) in [(&operator.id, 201), (&admin.id, 403)] {
        let (status, _) = try_to(&stack, &admin, "channel", &target.to_string(), "suspend").await;
        assert_eq!(status, code, "nobody judges themselves");
    }
    let decision = decide(&stack, &admin, "channel", &id, "suspend").await;
    assert_eq!(socket.closed().await, Some(4003));
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    let refresh = stack
        .request(Method::POST, "/api/auth/refresh")
        .header("cookie", &ann.cookie);
    assert_eq!(answer(refresh).await.0, 401);

    // The right password opens the reason, and nothing else.
    let log_in = async |password: &str| {
        let body = json!({"identifier": "ann", "password": password});
        stack.post("/api/auth/login", body).await
    };
    assert_eq!(log_in("wrong").await.1["code"], "bad_credentials");
    let (status, problem) = log_in(PASSWORD).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("account_suspended"))
    );
    let token = text(&problem["appeal_token"]);
    let (status, told) = stack
        .post("/api/suspension", json!({ "token": token }))
        .await;
    assert_eq!(
        (status.as_u16(), &told["id"], &told["staff"], &told["note"]),
        (200, &decision["id"], &Value::Null, &json!("The music."))
    );
    let reset = json!({"token": token, "password": "another-harbour-13-kettle"});
    assert_eq!(stack.post("/api/auth/reset", reset).await.0, 410);
    let over = json!({"token": "x".repeat(43)});
    assert_eq!(
        stack.post("/api/suspension", over).await.1["code"],
        "link_over"
    );

    let words = json!({"token": token, "body": "It was my brother."});
    let (status, _) = stack.post("/api/suspension/appeal", words.clone()).await;
    assert_eq!(status, 201);
    let (status, problem) = stack.post("/api/suspension/appeal", words).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (409, &json!("already_appealed"))
    );
    // A mail went to her, though she is locked out, and its job knows no secret.
    assert_eq!(
        mails(&stack, "decision").await,
        ["olga@example.org", "ann@example.org"]
    );

    let (_, waiting) = stack.get_as(&admin, "/api/admin/appeals").await;
    let appeal = text(&waiting["items"][0]["appeal"]["id"]);
    let yes = json!({"accept": true, "answer": "Fine."});
    let path = format!("/api/admin/appeals/{appeal}/answer");
    assert_eq!(stack.post_as(&admin, &path, yes).await.0, 200);
    assert_eq!(log_in(PASSWORD).await.0, 200);
    let (status, _) = stack
        .post("/api/suspension", json!({ "token": token }))
        .await;
    assert_eq!(status, 410, "it is over");
    stack.stop().await;
}

#[tokio::test]
async fn a_deactivation_takes_the_place_of_a_suspension() {
    let stack = Stack::start().await;
    let (ann, admin) = (
        stack.person("ann").await,
        staff(&stack, "ada", Role::Admin).await,
    );
    let decision = decide(&stack, &admin, "channel", &ann.id.to_string(), "suspend").await;
    assert!(User::set_active(&stack.db, ann.id, false).await.unwrap());
    let lift = format!("/api/admin/decisions/{}/lift", text(&decision["id"]));
    assert_eq!(stack.post_as(&admin, &lift, json!({})).await.0, 200);
    let body = json!({"identifier": "ann", "password": PASSWORD});
    let (status, problem) = stack.post("/api/auth/login", body).await;
    assert_eq!(
        (status.as_u16(), &problem["code"]),
        (403, &json!("account_inactive"))
    );
    let (status, problem) = try_to(&stack, &admin, "channel", &ann.id.to_string(), "suspend").await;
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("account_inactive"))
    );
    stack.stop().await;
}
