//! Register, log in, refresh, log out, tokens.

use millrace_domain::accounts::{Role, User};
use reqwest::Method;
use serde_json::json;

use crate::stack::{PASSWORD, Stack, answer, cookie_of};

async fn refresh(stack: &Stack, cookie: &str) -> reqwest::Response {
    stack
        .request(Method::POST, "/api/auth/refresh")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_person_registers_logs_in_by_name_or_email_and_is_known() {
    let stack = Stack::start().await;
    let ann = stack.person("ann.smith").await;
    let by_email = stack.log_in("ANN.Smith@example.org").await;
    assert_eq!(by_email.id, ann.id);
    let (status, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(
        (
            status.as_u16(),
            me["username"].as_str(),
            me["role"].as_str()
        ),
        (200, Some("ann.smith"), Some("user"))
    );
    assert!(me.get("password").is_none());
    stack.stop().await;
}

#[tokio::test]
async fn names_and_addresses_are_unique_without_regard_to_case() {
    let stack = Stack::start().await;
    stack.person("ann").await;
    let register = |username: &str, email: &str| {
        let body = json!({"username": username, "email": email, "password": PASSWORD});
        let request = stack
            .request(Method::POST, "/api/auth/register")
            .json(&body);
        answer(request)
    };
    let (status, problem) = register("ANN", "other@example.org").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (409, Some("username_taken"))
    );
    let (status, problem) = register("bob", "Ann@Example.org").await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (409, Some("email_taken"))
    );
    let (status, problem) = register("a b", "nonsense").await;
    assert_eq!(
        (status.as_u16(), problem["errors"].as_array().unwrap().len()),
        (422, 2)
    );
    let (status, problem) = stack
        .post(
            "/api/auth/register",
            json!({"username": "carol", "email": "c@d.org", "password": "carol123"}),
        )
        .await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some("weak_password"))
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_refresh_token_rotates_and_the_previous_one_is_honoured_for_its_grace_only() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let first = ann.cookie.clone();
    let second = cookie_of(&refresh(&stack, &first).await);
    assert_ne!(first, second);
    // A lost answer, or another tab: again with the first.
    let again = refresh(&stack, &first).await;
    assert_eq!(again.status(), 200);
    let third = cookie_of(&again);
    assert_eq!(refresh(&stack, &second).await.status(), 200);

    // A minute later the first one is a stolen one.
    sqlx::query("update refresh_tokens set rotated_at = rotated_at - interval '1 minute' where rotated_at is not null")
        .execute(&stack.db)
        .await
        .unwrap();
    let reused = refresh(&stack, &first).await;
    assert_eq!(reused.status(), 401);
    // The whole family is out, and so is the access token.
    assert_eq!(refresh(&stack, &third).await.status(), 401);
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    let why: String = sqlx::query_scalar("select revoked_for from sessions")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(why, "reuse");
    stack.stop().await;
}

#[tokio::test]
async fn two_refreshes_at_once_both_succeed() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (one, two) = tokio::join!(refresh(&stack, &ann.cookie), refresh(&stack, &ann.cookie));
    assert_eq!((one.status().as_u16(), two.status().as_u16()), (200, 200));
    stack.stop().await;
}

#[tokio::test]
async fn logging_out_ends_the_session_and_its_access_tokens() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let out = stack
        .request(Method::POST, "/api/auth/logout")
        .header("cookie", &ann.cookie)
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), 204);
    assert!(
        out.headers()["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(refresh(&stack, &ann.cookie).await.status(), 401);
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    stack.stop().await;
}

#[tokio::test]
async fn another_sites_page_cannot_use_the_cookie() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    for path in ["/api/auth/refresh", "/api/auth/logout"] {
        let request = stack
            .request(Method::POST, path)
            .header("cookie", &ann.cookie);
        let (status, problem) = answer(request.header("origin", "https://evil.example")).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (403, Some("forbidden"))
        );
    }
    let request = stack
        .request(Method::POST, "/api/auth/refresh")
        .header("cookie", &ann.cookie);
    let own = request
        .header("origin", format!("http://{}", stack.address))
        .send()
        .await
        .unwrap();
    assert_eq!(own.status(), 200);
    stack.stop().await;
}

#[tokio::test]
async fn guessing_is_throttled_by_account_and_known_and_unknown_names_look_the_same() {
    let stack = Stack::start_with("[auth]\nlogin_burst = 3").await;
    stack.person("ann").await;
    for name in ["ann", "nobody"] {
        for _ in 0..3 {
            let (status, problem) = stack
                .post(
                    "/api/auth/login",
                    json!({"identifier": name, "password": "wrong"}),
                )
                .await;
            assert_eq!(
                (status.as_u16(), problem["code"].as_str()),
                (401, Some("bad_credentials"))
            );
        }
        let request = stack
            .request(Method::POST, "/api/auth/login")
            .json(&json!({"identifier": name, "password": "wrong"}));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 429);
        let wait: u64 = response.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        assert!((1..=30).contains(&wait), "{wait}");
    }
    // Even the right password waits; time passes for the bucket.
    let (status, _) = stack
        .post(
            "/api/auth/login",
            json!({"identifier": "ann@example.org", "password": PASSWORD}),
        )
        .await;
    assert_eq!(status, 429);
    sqlx::query("update throttles set updated_at = updated_at - interval '31 seconds'")
        .execute(&stack.db)
        .await
        .unwrap();
    stack.log_in("ann").await;
    // A success fills the account's bucket again.
    stack.log_in("ann").await;
    stack.stop().await;
}

#[tokio::test]
async fn a_deactivated_account_loses_access_at_once() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    assert!(User::set_active(&stack.db, ann.id, false).await.unwrap());
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    assert_eq!(refresh(&stack, &ann.cookie).await.status(), 401);
    let (status, problem) = stack
        .post(
            "/api/auth/login",
            json!({"identifier": "ann", "password": PASSWORD}),
        )
        .await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (403, Some("account_inactive"))
    );
    assert!(
        User::set_role(&stack.db, ann.id, Role::Admin)
            .await
            .unwrap()
    );
    stack.stop().await;
}

#[tokio::test]
async fn forged_tokens_are_401_and_so_is_none() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (head, _) = ann.token.rsplit_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0Iiwia2lkIjoiazEifQ";
    let claims = ann.token.split('.').nth(1).unwrap();
    let forged = [
        String::new(),
        format!("{none}.{claims}."),
        format!("{head}.AAAA"),
        format!("{}x", ann.token),
        "x".repeat(9_000),
    ];
    for token in forged {
        let (status, problem) =
            answer(stack.request(Method::GET, "/api/me").bearer_auth(&token)).await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (401, Some("unauthenticated")),
            "{token:.60}"
        );
    }
    for header in ["", "Bearer", "Basic YTpi", "bearer  ", "Token x"] {
        let (status, _) = answer(
            stack
                .request(Method::GET, "/api/me")
                .header("authorization", header),
        )
        .await;
        assert_eq!(status, 401, "{header}");
    }
    assert_eq!(answer(stack.request(Method::GET, "/api/me")).await.0, 401);
    stack.stop().await;
}
