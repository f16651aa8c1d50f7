//! Invitations, and registration that is closed.

use millrace_domain::accounts::{Role, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    links::refusal,
    stack::{PASSWORD, Stack, answer},
};

#[tokio::test]
async fn registration_may_be_closed_or_by_invitation() {
    let closed = Stack::start_with("[auth]\nregistration = \"closed\"").await;
    let body = json!({"username": "ann", "email": "ann@example.org", "password": PASSWORD});
    let refused = closed.post("/api/auth/register", body.clone()).await;
    assert_eq!(refusal(refused), (403, "registration_closed".to_owned()));
    closed.stop().await;

    let stack = Stack::start_with("[auth]\nregistration = \"invite\"").await;
    let refused = stack.post("/api/auth/register", body).await;
    assert_eq!(refusal(refused), (403, "invite_needed".to_owned()));
    assert_eq!(
        refusal(register(&stack, "ann", "nonsense").await),
        (403, "invite_over".to_owned())
    );
    let (_, config) = answer(stack.request(Method::GET, "/api/config")).await;
    assert_eq!(config["registration"], "invite");
    stack.stop().await;
}

async fn register(stack: &Stack, name: &str, invite: &str) -> (StatusCode, Value) {
    let email = format!("{name}@example.org");
    let body = json!({"username": name, "email": email, "password": PASSWORD, "invite": invite});
    stack.post("/api/auth/register", body).await
}

#[tokio::test]
async fn an_invitation_lets_one_person_in() {
    let stack = Stack::start_with("[auth]\nregistration = \"invite\"").await;
    // The first administrator comes by the command line.
    let hash = millrace_api::hash_password(PASSWORD).unwrap();
    let new = millrace_domain::accounts::NewUser {
        username: "root",
        email: "root@example.org",
        password_hash: &hash,
        role: Role::Admin,
        language: "en",
    };
    User::create(&stack.db, new).await.unwrap();
    let root = stack.log_in("root").await;
    let invite = async || {
        let (status, invite) = stack
            .post_as(&root, "/api/admin/invites", json!({"note": "for Ann"}))
            .await;
        assert_eq!(status, 201, "{invite}");
        let word = |name: &str| invite[name].as_str().unwrap().to_owned();
        assert!(word("url").ends_with(&format!("/register#invite={}", word("token"))));
        (word("id"), word("token"))
    };
    let (_, token) = invite().await;
    // A refused registration does not use it up.
    assert_eq!(
        refusal(register(&stack, "root", &token).await),
        (409, "username_taken".to_owned())
    );
    let (one, two) = tokio::join!(
        register(&stack, "ann", &token),
        register(&stack, "bob", &token)
    );
    let mut both = [one.0.as_u16(), two.0.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [201, 403]);
    let users: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(users, 2);

    let (id, token) = invite().await;
    let path = format!("/api/admin/invites/{id}");
    let withdraw = || {
        answer(
            stack
                .request(Method::DELETE, &path)
                .bearer_auth(&root.token),
        )
    };
    assert_eq!(
        (withdraw().await.0.as_u16(), withdraw().await.0.as_u16()),
        (204, 404)
    );
    assert_eq!(
        refusal(register(&stack, "carol", &token).await).1,
        "invite_over"
    );
    let (_, token) = invite().await;
    sqlx::query("update invites set expires_at = now() where used_at is null")
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(
        refusal(register(&stack, "carol", &token).await).1,
        "invite_over"
    );

    let (_, page) = stack.get_as(&root, "/api/admin/invites").await;
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), items[0]["used_at"].is_null()), (2, true));
    assert!(["ann", "bob"].contains(&items[1]["used_by"].as_str().unwrap()));
    assert!(!page.to_string().contains(&token));
    // For administrators only.
    let name = items[1]["used_by"].as_str().unwrap();
    let person = stack.log_in(name).await;
    for role in [Role::User, Role::Auditor, Role::Operator] {
        User::set_role(&stack.db, person.id, role).await.unwrap();
        assert_eq!(stack.get_as(&person, "/api/admin/invites").await.0, 403);
        assert_eq!(
            stack
                .post_as(&person, "/api/admin/invites", json!({}))
                .await
                .0,
            403
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn invitations_come_in_pages_without_a_gap() {
    let stack = Stack::start().await;
    let root = stack.person("root").await;
    User::set_role(&stack.db, root.id, Role::Admin)
        .await
        .unwrap();
    for _ in 0..60 {
        assert_eq!(
            stack
                .post_as(&root, "/api/admin/invites", json!({}))
                .await
                .0,
            201
        );
    }
    let (_, first) = stack.get_as(&root, "/api/admin/invites").await;
    let cursor = first["next_cursor"].as_str().unwrap();
    // What is new meanwhile belongs to a page before.
    stack.post_as(&root, "/api/admin/invites", json!({})).await;
    let (_, second) = stack
        .get_as(&root, &format!("/api/admin/invites?cursor={cursor}"))
        .await;
    let ids = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let mut all = [ids(&first), ids(&second)].concat();
    assert_eq!((all.len(), second["next_cursor"].is_null()), (60, true));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 60);
    let bad = stack.get_as(&root, "/api/admin/invites?cursor=x").await;
    assert_eq!(refusal(bad), (400, "validation".to_owned()));
    stack.stop().await;
}
