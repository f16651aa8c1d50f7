//! Devices and sign-out, passwords, roles: what ends at once.

use millrace_domain::accounts::{Role, User};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    socket::Socket,
    stack::{PASSWORD, Person, Stack, answer},
};

async fn devices(stack: &Stack, person: &Person) -> Vec<Value> {
    let (status, list) = stack.get_as(person, "/api/me/sessions").await;
    assert_eq!(status, 200, "{list}");
    list["items"].as_array().unwrap().clone()
}

async fn delete_as(stack: &Stack, person: &Person, path: &str) -> u16 {
    let request = stack
        .request(Method::DELETE, path)
        .bearer_auth(&person.token);
    answer(request).await.0.as_u16()
}

async fn refresh_status(stack: &Stack, person: &Person) -> u16 {
    let request = stack.request(Method::POST, "/api/auth/refresh");
    answer(request.header("cookie", &person.cookie))
        .await
        .0
        .as_u16()
}

#[tokio::test]
async fn a_person_sees_their_devices_and_signs_one_out() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let phone = stack.log_in("ann").await;
    let bob = stack.person("bob").await;
    let list = devices(&stack, &ann).await;
    assert_eq!(list.len(), 2);
    let current: Vec<&Value> = list.iter().filter(|d| d["current"] == true).collect();
    assert_eq!(current.len(), 1);
    let other = list.iter().find(|d| d["current"] == false).unwrap();
    let path = format!("/api/me/sessions/{}", other["id"].as_str().unwrap());

    // Nobody else's, and nothing that there is not.
    assert_eq!(delete_as(&stack, &bob, &path).await, 404);
    assert_eq!(answer(stack.request(Method::DELETE, &path)).await.0, 401);

    let mut socket = Socket::signed_in(&stack, &phone).await;
    assert_eq!(delete_as(&stack, &ann, &path).await, 204);
    assert_eq!(socket.closed().await, Some(4003));
    assert_eq!(stack.get_as(&phone, "/api/me").await.0, 401);
    assert_eq!(refresh_status(&stack, &phone).await, 401);
    assert_eq!(devices(&stack, &ann).await.len(), 1);
    assert_eq!(delete_as(&stack, &ann, &path).await, 404);
    stack.stop().await;
}

#[tokio::test]
async fn logging_out_everywhere_ends_all_devices_or_all_others() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let phone = stack.log_in("ann").await;
    let bob = stack.person("bob").await;
    assert_eq!(
        delete_as(&stack, &ann, "/api/me/sessions?keep_current=true").await,
        204
    );
    assert_eq!(stack.get_as(&phone, "/api/me").await.0, 401);
    assert_eq!(devices(&stack, &ann).await.len(), 1);

    let mut socket = Socket::signed_in(&stack, &ann).await;
    assert_eq!(delete_as(&stack, &ann, "/api/me/sessions").await, 204);
    assert_eq!(socket.closed().await, Some(4003));
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    assert_eq!(refresh_status(&stack, &ann).await, 401);
    assert_eq!(stack.get_as(&bob, "/api/me").await.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn a_reused_refresh_token_closes_the_sockets_of_its_family() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let other = stack.log_in("ann").await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let mut spared = Socket::signed_in(&stack, &other).await;
    assert_eq!(refresh_status(&stack, &ann).await, 200);
    // A minute later the first token is a stolen one.
    sqlx::query("update refresh_tokens set rotated_at = rotated_at - interval '1 minute' where rotated_at is not null")
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(refresh_status(&stack, &ann).await, 401);
    assert_eq!(socket.closed().await, Some(4003));
    // Another device of the same person is another family.
    spared.send(json!({"type": "ping"})).await;
    assert_eq!(spared.next().await["type"], "pong");
    stack.stop().await;
}

#[tokio::test]
async fn a_deactivation_closes_sockets_and_a_lost_role_counts_at_once() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    for (role, status) in [(Role::Auditor, 200), (Role::User, 403)] {
        assert!(User::set_role(&stack.db, ann.id, role).await.unwrap());
        // The same token: rights are read from the database.
        assert_eq!(stack.get_as(&ann, "/api/admin/jobs").await.0, status);
    }
    // As another process would: nobody tells this one.
    assert!(User::set_active(&stack.db, ann.id, false).await.unwrap());
    assert_eq!(socket.closed().await, Some(4003));
    stack.stop().await;
}

#[tokio::test]
async fn another_password_needs_the_old_one_and_ends_other_devices() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let phone = stack.log_in("ann").await;
    let change = async |person: &Person, old: &str, new: &str| {
        let body = json!({"current_password": old, "new_password": new});
        let (status, problem) = stack.post_as(person, "/api/me/password", body).await;
        let field = problem["errors"][0]["field"].as_str().unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or_default();
        (status.as_u16(), format!("{code} {field}"))
    };
    const NEW: &str = "copper-lantern-17-meadow";
    assert_eq!(
        change(&ann, "wrong", NEW).await,
        (422, "wrong_password current_password".to_owned())
    );
    assert_eq!(
        change(&ann, PASSWORD, "ann12345").await,
        (422, "weak_password new_password".to_owned())
    );
    assert_eq!(stack.get_as(&phone, "/api/me").await.0, 200);
    assert_eq!(change(&ann, PASSWORD, NEW).await.0, 204);

    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 200);
    assert_eq!(stack.get_as(&phone, "/api/me").await.0, 401);
    for (password, expected) in [(PASSWORD, 401), (NEW, 200)] {
        let body = json!({"identifier": "ann", "password": password});
        assert_eq!(stack.post("/api/auth/login", body).await.0, expected);
    }
    stack.stop().await;
}

#[tokio::test]
async fn of_two_changes_of_a_password_at_once_one_counts() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let change = |new: &str| {
        let body = json!({"current_password": PASSWORD, "new_password": new});
        stack.post_as(&ann, "/api/me/password", body)
    };
    let (one, two) = tokio::join!(
        change("copper-lantern-17-meadow"),
        change("amber-glacier-58-thimble")
    );
    let mut both = [one.0.as_u16(), two.0.as_u16()];
    both.sort_unstable();
    // The slower one finds another password: before its check (422) or after it (409).
    assert!(both[0] == 204 && matches!(both[1], 409 | 422), "{both:?}");
    stack.stop().await;
}

#[tokio::test]
async fn guessing_the_current_password_is_throttled() {
    let stack = Stack::start_with("[auth]\nlogin_burst = 3").await;
    let ann = stack.person("ann").await;
    let body = json!({"current_password": "wrong", "new_password": "copper-lantern-17-meadow"});
    for expected in [422, 422, 422, 429] {
        let (status, _) = stack.post_as(&ann, "/api/me/password", body.clone()).await;
        assert_eq!(status, expected);
    }
    stack.stop().await;
}
