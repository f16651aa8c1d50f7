//! The links that end mail of a kind.

use millrace_domain::{
    email::{Unsubscribe, UnsubscribeKey},
    ids::UserId,
    notifications::{Kind, wants},
};
use reqwest::Method;
use serde_json::Value;

use crate::stack::{Stack, answer};

const KEY: &str = "a key of the tests for links in mail";

async fn stack() -> Stack {
    Stack::start_with(&format!("[email]\nsigning_key = \"{KEY}\"")).await
}

async fn post(stack: &Stack, token: &str) -> (u16, Value) {
    // As mail programs do it: a form, no cookie, no token.
    let request = stack
        .request(Method::POST, "/api/email/unsubscribe")
        .query(&[("token", token)])
        .header("content-type", "application/x-www-form-urlencoded")
        .body("List-Unsubscribe=One-Click");
    let (status, body) = answer(request).await;
    (status.as_u16(), body)
}

#[tokio::test]
async fn one_press_ends_mail_of_that_kind_and_no_other() {
    let stack = stack().await;
    let ann = stack.person("ann").await;
    let key = UnsubscribeKey::new(KEY);
    let kind = Kind::VideoReady;
    let token = key.token(Unsubscribe { user: ann.id, kind });

    // Looking is not pressing.
    let look = stack
        .request(Method::GET, "/api/email/unsubscribe")
        .query(&[("token", &token)])
        .send()
        .await
        .unwrap();
    assert_eq!(look.status(), 303);
    assert_eq!(
        look.headers()["location"],
        format!("/unsubscribe?token={token}")
    );
    assert!(wants(&stack.db, ann.id, kind).await.unwrap().email);

    for _again in 0..2 {
        let (status, body) = post(&stack, &token).await;
        assert_eq!((status, body["kind"].as_str()), (200, Some("video_ready")));
    }
    let after = wants(&stack.db, ann.id, kind).await.unwrap();
    assert!(!after.email && after.web, "{after:?}");
    assert!(
        wants(&stack.db, ann.id, Kind::VideoFailed)
            .await
            .unwrap()
            .email
    );
    stack.stop().await;
}

#[tokio::test]
async fn links_that_we_did_not_make_end_nothing() {
    let stack = stack().await;
    let ann = stack.person("ann").await;
    let kind = Kind::Comment;
    let link = Unsubscribe { user: ann.id, kind };
    let forged = UnsubscribeKey::new("another key, of somebody else entirely").token(link);
    let of_nobody = UnsubscribeKey::new(KEY).token(Unsubscribe {
        user: UserId::new(),
        kind,
    });
    for token in [forged.as_str(), of_nobody.as_str(), "", "x.y.z", "\u{0}"] {
        let (status, body) = post(&stack, token).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (422, Some("link_invalid")),
            "{token:?}"
        );
    }
    assert!(wants(&stack.db, ann.id, kind).await.unwrap().email);
    stack.stop().await;
}
