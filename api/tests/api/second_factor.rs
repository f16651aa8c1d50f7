//! The second factor: set up, asked for, never twice the same code, and lost.

use millrace_domain::accounts::{Role, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};

use crate::stack::{PASSWORD, Person, Stack, answer};

/// What an authenticator application shows now.
fn code_of(secret: &str) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new()
        .with_secret(secret)
        .with_account_name("ann")
        .build()
        .unwrap()
        .generate_current()
        .to_string()
}

/// Codes that were accepted are of the past: half a minute and more goes by.
async fn wait_a_step(stack: &Stack) {
    sqlx::query("update second_factors set last_step = last_step - 2")
        .execute(&stack.db)
        .await
        .unwrap();
}

async fn enrol(stack: &Stack, person: &Person) -> String {
    let body = json!({"password": PASSWORD});
    let (status, enrolment) = stack.post_as(person, "/api/me/second-factor", body).await;
    assert_eq!(status, 201, "{enrolment}");
    assert!(enrolment["qr_svg"].as_str().unwrap().contains("<svg"));
    enrolment["secret"].as_str().unwrap().to_owned()
}

/// Sets one up; the secret and the recovery codes.
async fn set_up(stack: &Stack, person: &Person) -> (String, Vec<String>) {
    let secret = enrol(stack, person).await;
    let body = json!({"code": code_of(&secret)});
    let (status, codes) = stack
        .post_as(person, "/api/me/second-factor/confirm", body)
        .await;
    assert_eq!(status, 200, "{codes}");
    let codes = codes["recovery_codes"].as_array().unwrap();
    let codes = codes.iter().map(|c| c.as_str().unwrap().to_owned());
    (secret, codes.collect())
}

/// The first step of a log-in, which asks for the second.
async fn challenge(stack: &Stack) -> String {
    let body = json!({"identifier": "ann", "password": PASSWORD});
    let (status, asked) = stack.post("/api/auth/login", body).await;
    assert_eq!(status, 202, "{asked}");
    assert!(asked.get("access_token").is_none());
    asked["challenge"].as_str().unwrap().to_owned()
}

async fn answer_with(stack: &Stack, challenge: &str, code: &str) -> (StatusCode, Value) {
    let body = json!({"challenge": challenge, "code": code});
    stack.post("/api/auth/login/second", body).await
}

fn refusal((status, problem): (StatusCode, Value)) -> (u16, String) {
    let code = problem["code"].as_str().unwrap_or_default();
    (status.as_u16(), code.to_owned())
}

#[tokio::test]
async fn log_in_asks_for_a_code_once_one_was_confirmed() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let phone = stack.log_in("ann").await;
    let secret = enrol(&stack, &ann).await;
    // Begun is not set up: a page that was closed locks nobody out.
    stack.log_in("ann").await;
    let wrong = json!({"code": "000000"});
    let refused = stack
        .post_as(&ann, "/api/me/second-factor/confirm", wrong)
        .await;
    assert_eq!(refusal(refused), (422, "wrong_code".to_owned()));
    let body = json!({"code": code_of(&secret)});
    let (status, _) = stack
        .post_as(&ann, "/api/me/second-factor/confirm", body)
        .await;
    assert_eq!(status, 200);
    // Who signed in without one is out.
    assert_eq!(stack.get_as(&phone, "/api/me").await.0, 401);
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(me["second_factor"], true);
    let again = stack
        .post_as(&ann, "/api/me/second-factor", json!({"password": PASSWORD}))
        .await;
    assert_eq!(refusal(again), (409, "second_factor_enabled".to_owned()));

    wait_a_step(&stack).await;
    let challenge = challenge(&stack).await;
    let (status, session) = answer_with(&stack, &challenge, &code_of(&secret)).await;
    assert_eq!(
        (status.as_u16(), session["user"]["username"].as_str()),
        (200, Some("ann"))
    );
    // A challenge is good once.
    wait_a_step(&stack).await;
    let reused = answer_with(&stack, &challenge, &code_of(&secret)).await;
    assert_eq!(refusal(reused), (401, "challenge_over".to_owned()));
    stack.stop().await;
}

#[tokio::test]
async fn a_code_is_good_once_and_of_two_at_once_one_gets_in() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (secret, _) = set_up(&stack, &ann).await;
    wait_a_step(&stack).await;
    let (first, second) = (challenge(&stack).await, challenge(&stack).await);
    let code = code_of(&secret);
    let (one, two) = tokio::join!(
        answer_with(&stack, &first, &code),
        answer_with(&stack, &second, &code)
    );
    let mut both = [one.0.as_u16(), two.0.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [200, 401]);
    let replayed = answer_with(&stack, &challenge(&stack).await, &code).await;
    assert_eq!(refusal(replayed), (401, "wrong_code".to_owned()));
    stack.stop().await;
}

#[tokio::test]
async fn recovery_codes_open_once_each_and_a_new_set_ends_the_old() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (_, codes) = set_up(&stack, &ann).await;
    assert_eq!(codes.len(), 10);
    let typed = codes[0].to_lowercase().replace('-', " ");
    assert_eq!(
        answer_with(&stack, &challenge(&stack).await, &typed)
            .await
            .0,
        200
    );
    let again = answer_with(&stack, &challenge(&stack).await, &codes[0]).await;
    assert_eq!(refusal(again), (401, "wrong_code".to_owned()));
    let (_, factor) = stack.get_as(&ann, "/api/me/second-factor").await;
    assert_eq!(factor["recovery_codes_left"], 9);

    let path = "/api/me/second-factor/recovery-codes";
    let refused = stack
        .post_as(&ann, path, json!({"password": "wrong"}))
        .await;
    assert_eq!(refusal(refused), (422, "wrong_password".to_owned()));
    let (status, renewed) = stack
        .post_as(&ann, path, json!({"password": PASSWORD}))
        .await;
    assert_eq!(status, 200);
    assert_eq!(
        answer_with(&stack, &challenge(&stack).await, &codes[1])
            .await
            .0,
        401
    );
    let new = renewed["recovery_codes"][0].as_str().unwrap();
    assert_eq!(
        answer_with(&stack, &challenge(&stack).await, new).await.0,
        200
    );
    stack.stop().await;
}

#[tokio::test]
async fn guessing_codes_ends_the_challenge_and_then_the_account_waits() {
    let stack = Stack::start_with("[auth]\nlogin_burst = 8").await;
    let ann = stack.person("ann").await;
    let (secret, _) = set_up(&stack, &ann).await;
    wait_a_step(&stack).await;
    let one = challenge(&stack).await;
    for _ in 0..5 {
        let refused = answer_with(&stack, &one, "000000").await;
        assert_eq!(refusal(refused), (401, "wrong_code".to_owned()));
    }
    let over = answer_with(&stack, &one, &code_of(&secret)).await;
    assert_eq!(refusal(over), (401, "challenge_over".to_owned()));
    // Another challenge does not buy more than the account has.
    let two = challenge(&stack).await;
    for expected in [401, 401, 401, 429] {
        assert_eq!(answer_with(&stack, &two, "000000").await.0, expected);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_challenge_ends_with_its_time_and_with_the_account() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (secret, _) = set_up(&stack, &ann).await;
    wait_a_step(&stack).await;
    let late = challenge(&stack).await;
    sqlx::query("update login_challenges set expires_at = now() - interval '1 second'")
        .execute(&stack.db)
        .await
        .unwrap();
    for challenge in [late.as_str(), "nonsense", ""] {
        let over = answer_with(&stack, challenge, &code_of(&secret)).await;
        assert_eq!(refusal(over), (401, "challenge_over".to_owned()));
    }
    let good = challenge(&stack).await;
    assert!(User::set_active(&stack.db, ann.id, false).await.unwrap());
    let inactive = answer_with(&stack, &good, &code_of(&secret)).await;
    assert_eq!(refusal(inactive), (403, "account_inactive".to_owned()));
    stack.stop().await;
}

#[tokio::test]
async fn doing_without_one_again_takes_the_password_and_a_code() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let path = "/api/me/second-factor/remove";
    let absent = stack
        .post_as(&ann, path, json!({"password": PASSWORD, "code": "000000"}))
        .await;
    assert_eq!(refusal(absent), (409, "second_factor_absent".to_owned()));
    let (_, codes) = set_up(&stack, &ann).await;
    for (password, code, expected) in [
        ("wrong", codes[0].as_str(), "wrong_password"),
        (PASSWORD, "000000", "wrong_code"),
    ] {
        let body = json!({"password": password, "code": code});
        let refused = stack.post_as(&ann, path, body).await;
        assert_eq!(refusal(refused), (422, expected.to_owned()));
    }
    let body = json!({"password": PASSWORD, "code": codes[0]});
    assert_eq!(stack.post_as(&ann, path, body).await.0, 204);
    stack.log_in("ann").await;
    let left: i64 = sqlx::query_scalar("select count(*) from recovery_codes")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(left, 0);
    stack.stop().await;
}

#[tokio::test]
async fn staff_need_one_where_the_setting_says_so() {
    let stack = Stack::start_with("[auth]\nstaff_second_factor = true").await;
    let ann = stack.person("ann").await;
    let plain = stack.get_as(&ann, "/api/admin/jobs").await;
    assert_eq!(refusal(plain), (403, "forbidden".to_owned()));
    assert!(
        User::set_role(&stack.db, ann.id, Role::Admin)
            .await
            .unwrap()
    );
    let refused = stack.get_as(&ann, "/api/admin/jobs").await;
    assert_eq!(refusal(refused), (403, "second_factor_needed".to_owned()));
    let (_, factor) = stack.get_as(&ann, "/api/me/second-factor").await;
    assert_eq!(
        (factor["required"].as_bool(), factor["enabled"].as_bool()),
        (Some(true), Some(false))
    );
    set_up(&stack, &ann).await;
    assert_eq!(stack.get_as(&ann, "/api/admin/jobs").await.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn nobody_sees_the_secret_or_the_codes_in_the_database() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (secret, codes) = set_up(&stack, &ann).await;
    let raw = Secret::try_from_base32(&secret).unwrap();
    let sealed: Vec<u8> = sqlx::query_scalar("select secret from second_factors")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert!(
        !sealed
            .windows(8)
            .any(|part| raw.as_bytes().windows(8).any(|p| p == part))
    );
    let hashes: Vec<Vec<u8>> = sqlx::query_scalar("select hash from recovery_codes")
        .fetch_all(&stack.db)
        .await
        .unwrap();
    assert!(
        hashes
            .iter()
            .all(|hash| hash.len() == 32 && !codes.iter().any(|c| c.as_bytes() == hash))
    );
    let anonymous = answer(stack.request(Method::GET, "/api/me/second-factor")).await;
    assert_eq!(refusal(anonymous), (401, "unauthenticated".to_owned()));
    stack.stop().await;
}
