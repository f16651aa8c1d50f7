//! Mail that was asked for before an account changed hands, and is written afterwards.

use millrace_domain::{
    accounts::{Link, Purpose},
    email::{Composed, Email, Message, Sender, UnsubscribeKey},
    ids::EmailId,
};
use serde_json::{Value, json};

use crate::stack::{PASSWORD, Person, Stack};

const NEW: &str = "copper-lantern-17-meadow";

/// What the job of the last mail about `message` writes now, if anything.
async fn written(stack: &Stack, message: &str) -> Option<String> {
    let args: Value = sqlx::query_scalar(
        "select args from queue.job where kind = 'email' and args->'message'->>'about' = $1 order by id desc limit 1",
    )
    .bind(message)
    .fetch_one(&stack.db)
    .await
    .unwrap();
    let id: EmailId = serde_json::from_value(args["email"].clone()).unwrap();
    let message: Message = serde_json::from_value(args["message"].clone()).unwrap();
    let key = UnsubscribeKey::new("a key for links that is only for tests");
    let url = "https://millrace.example".parse().unwrap();
    let sender = Sender::new("Millrace <us@example.org>", &url, key).unwrap();
    let mut tx = stack.db.begin().await.unwrap();
    let email = Email::find(&mut *tx, id).await.unwrap().unwrap();
    let composed = sender.compose(&mut tx, &email, &message).await.unwrap();
    tx.commit().await.unwrap();
    match composed {
        Composed::Mail(mail) => Some(String::from_utf8(mail).unwrap()),
        Composed::Moot(_) => None,
    }
}

async fn links(stack: &Stack, person: &Person) -> i64 {
    sqlx::query_scalar("select count(*) from account_links where user_id = $1 and used_at is null")
        .bind(person.id.0)
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

async fn link(stack: &Stack, person: &Person, purpose: Purpose, email: &str) -> String {
    let mut conn = stack.db.acquire().await.unwrap();
    let link = Link::mint(&mut conn, person.id, purpose, email);
    link.await.unwrap()
}

async fn ask_for_address(stack: &Stack, person: &Person, email: &str) {
    let body = json!({"email": email, "password": PASSWORD});
    let (status, answer) = stack.post_as(person, "/api/me/email", body).await;
    assert_eq!(status, 202, "{answer}");
}

/// Somebody who knew the password asks for another address; its owner chooses another password before the mail is
/// written, which may be hours later, where a server greylists.
#[tokio::test]
async fn a_reset_makes_a_change_of_address_moot_that_was_asked_for_before() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    ask_for_address(&stack, &ann, "else@example.com").await;
    let token = link(&stack, &ann, Purpose::ResetPassword, "ann@example.org").await;
    let body = json!({"token": token, "password": NEW});
    assert_eq!(stack.post("/api/auth/reset", body).await.0, 204);
    assert_eq!(written(&stack, "change_address").await, None);
    assert_eq!(links(&stack, &ann).await, 0);
    stack.stop().await;
}

#[tokio::test]
async fn who_asks_for_another_address_gets_the_link() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    ask_for_address(&stack, &ann, "new@example.com").await;
    let mail = written(&stack, "change_address").await.unwrap();
    assert!(mail.contains("To: ann <new@example.com>"), "{mail}");
    assert_eq!(links(&stack, &ann).await, 1);
    stack.stop().await;
}

/// Who reads the mailbox that the account had finds nothing that opens it, or fetches its data.
#[tokio::test]
async fn nothing_that_opens_an_account_goes_to_an_address_that_it_does_not_have_any_more() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let old = "ann@example.org";
    let user = millrace_domain::accounts::User::find(&stack.db, ann.id)
        .await
        .unwrap()
        .unwrap();
    for message in [
        Message::ResetPassword { user: ann.id },
        Message::ExportReady { user: ann.id },
    ] {
        let mut tx = stack.db.begin().await.unwrap();
        let wake = millrace_jobs::flows::mail_account(&mut tx, &user, &message).await;
        tx.commit().await.unwrap();
        drop(wake.unwrap());
    }
    let export = link(&stack, &ann, Purpose::Export, old).await;
    let moved = link(&stack, &ann, Purpose::ChangeEmail, "new@example.com").await;
    let (status, _) = stack
        .post("/api/auth/verify", json!({"token": moved}))
        .await;
    assert_eq!(status, 200);
    for message in ["reset_password", "export_ready", "verify_address"] {
        assert_eq!(written(&stack, message).await, None, "{message}");
    }
    assert_eq!(links(&stack, &ann).await, 0);
    assert_eq!(Link::find(&stack.db, &export).await.unwrap(), None);
    stack.stop().await;
}
