//! Links that came by mail: each is good once, for its purpose, for a while.

use millrace_domain::accounts::{Link, Purpose, User};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stack::{PASSWORD, Person, Stack, answer};

const NEW: &str = "copper-lantern-17-meadow";

/// What a mail to this person would hold: the token is made where the mail is written.
async fn link(stack: &Stack, person: &Person, purpose: Purpose, email: &str) -> String {
    let mut conn = stack.db.acquire().await.unwrap();
    Link::mint(&mut conn, person.id, purpose, email)
        .await
        .unwrap()
}

async fn reset(stack: &Stack, token: &str, password: &str) -> (u16, String) {
    let body = json!({"token": token, "password": password});
    refusal(stack.post("/api/auth/reset", body).await)
}

async fn verify(stack: &Stack, token: &str) -> (u16, Value) {
    let (status, body) = stack
        .post("/api/auth/verify", json!({"token": token}))
        .await;
    (status.as_u16(), body)
}

pub(crate) fn refusal((status, problem): (StatusCode, Value)) -> (u16, String) {
    let code = problem["code"].as_str().unwrap_or_default();
    (status.as_u16(), code.to_owned())
}

/// The mails that are queued, by what they are about and to whom.
async fn mails(stack: &Stack) -> Vec<(String, String)> {
    sqlx::query_as("select message, recipient::text from emails order by id")
        .fetch_all(&stack.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn forgetting_answers_the_same_whoever_is_meant() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let gone = stack.person("bob").await;
    assert!(User::set_active(&stack.db, gone.id, false).await.unwrap());
    let before = mails(&stack).await.len();
    for identifier in [
        "ann",
        "nobody",
        "nobody@example.org",
        "bob",
        "Ann@example.org",
    ] {
        let body = json!({"identifier": identifier});
        let (status, body) = stack.post("/api/auth/forgot", body).await;
        assert_eq!((status.as_u16(), body), (202, Value::Null), "{identifier}");
    }
    // The mail is a job's: what is done before the answer is the same for all of them, and so is the time that it takes.
    assert_eq!(mails(&stack).await.len(), before);
    let jobs: Vec<Value> =
        sqlx::query_scalar("select args from queue.job where kind = 'forgot_password' order by id")
            .fetch_all(&stack.db)
            .await
            .unwrap();
    let (to_ann, to_nobody) = (json!({"user": ann.id}), json!({"user": null}));
    assert_eq!(
        jobs,
        [&to_ann, &to_nobody, &to_nobody, &to_nobody, &to_ann].map(Clone::clone)
    );
    // No job holds a secret: there is no token before the mail is written.
    let minted: i64 = sqlx::query_scalar("select count(*) from account_links")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(minted, 0);
    for name in ["ann", "nobody"] {
        let codes = [
            refusal(
                stack
                    .post("/api/auth/forgot", json!({"identifier": name}))
                    .await,
            )
            .0,
            refusal(
                stack
                    .post("/api/auth/forgot", json!({"identifier": name}))
                    .await,
            )
            .0,
            refusal(
                stack
                    .post("/api/auth/forgot", json!({"identifier": name}))
                    .await,
            )
            .0,
        ];
        assert_eq!(codes, [202, 202, 429], "{name}");
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_link_resets_the_password_once_and_signs_everybody_out() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let token = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    let other = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    // A weak one does not use it up.
    assert_eq!(
        reset(&stack, &token, "ann12345").await,
        (422, "weak_password".to_owned())
    );
    assert_eq!(reset(&stack, &token, NEW).await.0, 204);
    assert_eq!(stack.get_as(&ann, "/api/me").await.0, 401);
    for (password, expected) in [(PASSWORD, 401), (NEW, 200)] {
        let body = json!({"identifier": "ann", "password": password});
        assert_eq!(stack.post("/api/auth/login", body).await.0, expected);
    }
    let over = (410, "link_over".to_owned());
    // Used, ended with the one that was used, unknown.
    for token in [token.as_str(), &other, "nonsense", ""] {
        assert_eq!(reset(&stack, token, PASSWORD).await, over);
    }
    let told = mails(&stack).await.pop().unwrap();
    assert_eq!(
        told,
        ("password_changed".to_owned(), "ann@example.org".to_owned())
    );
    stack.stop().await;
}

#[tokio::test]
async fn of_two_resets_at_once_one_counts() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let token = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    let (one, two) = tokio::join!(
        reset(&stack, &token, NEW),
        reset(&stack, &token, "amber-glacier-58-thimble")
    );
    let mut both = [one.0, two.0];
    both.sort_unstable();
    assert_eq!(both, [204, 410]);
    stack.stop().await;
}

#[tokio::test]
async fn a_changed_password_or_address_ends_the_other_ways_in() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (old, new) = ("ann@example.org", "ann@example.com");
    // Somebody was at her desk and asked for another address; she chooses another password.
    let theirs = link(&stack, &ann, Purpose::ChangeEmail, "else@example.com").await;
    let hers = link(&stack, &ann, Purpose::ResetPassword, old).await;
    assert_eq!(reset(&stack, &hers, NEW).await.0, 204);
    assert_eq!(verify(&stack, &theirs).await.0, 410);
    // Who reads her old mailbox later finds nothing that opens the account.
    let left = link(&stack, &ann, Purpose::ResetPassword, old).await;
    let moved = link(&stack, &ann, Purpose::ChangeEmail, new).await;
    assert_eq!(verify(&stack, &moved).await.0, 200);
    assert_eq!(reset(&stack, &left, PASSWORD).await.0, 410);
    // The same when she changes it with the old one.
    let left = link(&stack, &ann, Purpose::ResetPassword, new).await;
    let body = json!({"identifier": "ann", "password": NEW});
    let (_, session) = stack.post("/api/auth/login", body).await;
    let token = session["access_token"].as_str().unwrap();
    let body = json!({"current_password": NEW, "new_password": PASSWORD});
    let request = stack.request(Method::POST, "/api/me/password");
    let (status, _) = answer(request.bearer_auth(token).json(&body)).await;
    assert_eq!(status, 204);
    assert_eq!(reset(&stack, &left, NEW).await.0, 410);
    stack.stop().await;
}

#[tokio::test]
async fn a_link_ends_with_its_time_and_the_account_and_serves_one_purpose() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let late = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    sqlx::query("update account_links set expires_at = now() - interval '1 second'")
        .execute(&stack.db)
        .await
        .unwrap();
    let verifies = link(&stack, &ann, Purpose::VerifyEmail, "ann@example.org").await;
    let resets = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    let locked = link(&stack, &bob, Purpose::ResetPassword, "bob@example.org").await;
    assert!(User::set_active(&stack.db, bob.id, false).await.unwrap());
    for token in [&late, &verifies, &locked] {
        assert_eq!(
            reset(&stack, token, NEW).await,
            (410, "link_over".to_owned())
        );
    }
    assert_eq!(verify(&stack, &resets).await.0, 410);
    assert_eq!(verify(&stack, &verifies).await.0, 200);
    stack.stop().await;
}

#[tokio::test]
async fn an_address_is_proven_by_its_link() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    assert_eq!(
        mails(&stack).await,
        [("verify_address".to_owned(), "ann@example.org".to_owned())]
    );
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(me["email_verified"], false);
    let path = "/api/me/email/verification";
    assert_eq!(stack.post_as(&ann, path, json!({})).await.0, 202);
    let token = link(&stack, &ann, Purpose::VerifyEmail, "ann@example.org").await;
    let (status, body) = verify(&stack, &token).await;
    assert_eq!((status, body["changed"].as_bool()), (200, Some(false)));
    assert_eq!(verify(&stack, &token).await.0, 410);
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(me["email_verified"], true);
    let again = stack.post_as(&ann, path, json!({})).await;
    assert_eq!(refusal(again), (409, "email_verified".to_owned()));
    // One to an address that the account had before proves nothing.
    let old = link(&stack, &ann, Purpose::VerifyEmail, "old@example.org").await;
    assert_eq!(verify(&stack, &old).await.0, 410);
    stack.stop().await;
}

#[tokio::test]
async fn another_address_counts_once_it_is_proven_and_the_old_one_is_told() {
    let stack = Stack::start().await;
    let (ann, _bob) = (stack.person("ann").await, stack.person("bob").await);
    let ask = |email: &str, password: &str| {
        stack.post_as(
            &ann,
            "/api/me/email",
            json!({"email": email, "password": password}),
        )
    };
    assert_eq!(
        refusal(ask("new@example.org", "wrong").await),
        (422, "wrong_password".to_owned())
    );
    assert_eq!(
        refusal(ask("nonsense", PASSWORD).await),
        (422, "validation".to_owned())
    );
    assert_eq!(
        refusal(ask("Bob@example.org", PASSWORD).await),
        (409, "email_taken".to_owned())
    );
    assert_eq!(ask("new@example.org", PASSWORD).await.0, 202);
    let sent = mails(&stack).await.pop().unwrap();
    assert_eq!(
        sent,
        ("change_address".to_owned(), "new@example.org".to_owned())
    );
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(me["email"], "ann@example.org");

    let token = link(&stack, &ann, Purpose::ChangeEmail, "new@example.org").await;
    let (status, body) = verify(&stack, &token).await;
    assert_eq!(
        (status, body["email"].as_str(), body["changed"].as_bool()),
        (200, Some("new@example.org"), Some(true))
    );
    let (_, me) = stack.get_as(&ann, "/api/me").await;
    assert_eq!(
        (me["email"].as_str(), me["email_verified"].as_bool()),
        (Some("new@example.org"), Some(true))
    );
    let told = mails(&stack).await.pop().unwrap();
    assert_eq!(
        told,
        ("address_changed".to_owned(), "ann@example.org".to_owned())
    );

    // Somebody else was faster with that address: the link stays good for when it is free again.
    let token = link(&stack, &ann, Purpose::ChangeEmail, "bob@example.org").await;
    let (status, problem) = verify(&stack, &token).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (409, Some("email_taken"))
    );
    stack.stop().await;
}
