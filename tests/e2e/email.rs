//! Mail and servers that do not want it: what arrives, and how often.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_domain::{
    email::{Message, NewEmail, Recipient},
    ids::VideoId,
    notifications::{Kind, set_preference},
};
use millrace_tests::{
    Person, Stack, StackOptions, Worker,
    smtp::{Mood, SmtpServer},
    until,
};

const SOON: Duration = Duration::from_secs(30);

/// A stack whose mail goes to `server`.
fn mailing(server: &SmtpServer, tls: &str) -> StackOptions {
    let url = format!("smtp://{}?tls={tls}", server.address);
    Stack::with_short_leases()
        .light()
        .set("email.smtp_url", url)
        .set("email.from", "Millrace <us@example.org>")
        .set(
            "email.signing_key",
            "a key for links that is only for tests",
        )
        .set("email.timeout", "5s")
}

async fn worker(stack: &Stack, name: &str) -> Result<Worker> {
    stack
        .worker_with(name, &[("worker.queues", "default=2")])
        .await
}

/// Queues a farewell to `address`.
async fn send(stack: &Stack, key: &str, address: &str) -> Result<()> {
    let to = Recipient {
        user: None,
        address: address.to_owned(),
        name: "Ann".to_owned(),
        language: millrace_domain::email::Language::En,
    };
    let mut tx = stack.db.begin().await?;
    let message = Message::AccountDeleted;
    let new = NewEmail {
        key,
        to: &to,
        message: &message,
    };
    let wake = millrace_jobs::flows::send_email(&mut tx, new).await?;
    tx.commit().await?;
    wake.fire(&stack.notifier);
    Ok(())
}

/// Waits until the mail of `key` is in `state`, and returns what the row says of the server's answer.
async fn comes_to(stack: &Stack, key: &str, state: &str) -> Result<String> {
    let mut last = String::new();
    let what = format!("the mail is {state}");
    let came = until(&what, SOON, async || {
        let (now, answer): (String, Option<String>) =
            sqlx::query_as("select state, answer from emails where key = $1")
                .bind(key)
                .fetch_one(&stack.db)
                .await?;
        last.clone_from(&now);
        Ok((now == state).then(|| answer.unwrap_or_default()))
    });
    match came.await {
        Ok(answer) => Ok(answer),
        Err(error) => Err(error.context(format!("it is {last}\n{}", stack.jobs().await?))),
    }
}

/// How the job of the only mail ended: its state and code.
async fn job_ended(stack: &Stack) -> Result<(String, Option<String>)> {
    until("the job has ended", SOON, async || {
        Ok(
            sqlx::query_as("select state::text, code from queue.history where kind = 'email'")
                .fetch_optional(&stack.db)
                .await?,
        )
    })
    .await
}

/// Lets the job that waits run now, and waits until it waits once more or has ended.
async fn another_try(stack: &Stack) -> Result<()> {
    let runs = async || -> Result<i32> {
        let live = "select coalesce(max(run_no), 0) from (select run_no from queue.job where kind = 'email' and state = 'retryable'
                    union all select run_no from queue.history where kind = 'email') r";
        Ok(sqlx::query_scalar(live).fetch_one(&stack.db).await?)
    };
    let before = until("the job waits", SOON, async || {
        Ok(Some(runs().await?).filter(|n| *n > 0))
    })
    .await?;
    sqlx::query("update queue.job set run_at = now() where kind = 'email' and state = 'retryable'")
        .execute(&stack.db)
        .await?;
    until("it was tried again", SOON, async || {
        Ok((runs().await? > before).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn said_twice_with_one_key_it_arrives_once() -> Result<()> {
    let server = SmtpServer::start(Mood::Takes).await?;
    let stack = mailing(&server, "none").start().await?;
    for _ in 0..3 {
        send(&stack, "farewell:1", "ann@example.org").await?;
        // The same person, by the rules of addresses.
        send(&stack, "farewell:1", "Ann@Example.org").await?;
    }
    send(&stack, "farewell:2", "ann@example.org").await?;
    let _worker = worker(&stack, "post").await?;
    comes_to(&stack, "farewell:1", "sent").await?;
    comes_to(&stack, "farewell:2", "sent").await?;
    stack.quiet().await?;
    let seen = server.seen();
    assert_eq!(seen.messages.len(), 2);
    let message = &seen.messages[0];
    assert!(
        message.contains("From: Millrace <us@example.org>"),
        "{message}"
    );
    assert!(
        message.contains("To: Ann <ann@example.org>") && message.is_ascii(),
        "{message}"
    );
    assert!(
        !message.contains("List-Unsubscribe"),
        "nobody can end farewells"
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_and_greylisting_is_not() -> Result<()> {
    let server = SmtpServer::start(Mood::Refuses).await?;
    let stack = mailing(&server, "none").start().await?;
    let _worker = worker(&stack, "post").await?;
    send(&stack, "refused", "nobody@example.org").await?;
    let answer = comes_to(&stack, "refused", "failed").await?;
    assert!(answer.starts_with("550"), "{answer}");
    assert_eq!(
        job_ended(&stack).await?,
        ("discarded".to_owned(), Some("email_refused".to_owned()))
    );
    assert_eq!(
        (server.seen().recipients, server.seen().messages.len()),
        (1, 0)
    );

    // Twice later, by two ways of saying so, then yes.
    sqlx::query("delete from queue.history")
        .execute(&stack.db)
        .await?;
    server.be(Mood::Greylists);
    send(&stack, "greylisted", "ann@example.org").await?;
    let answer = until("the server has said later", SOON, async || {
        let said: Option<String> =
            sqlx::query_scalar("select answer from emails where key = 'greylisted'")
                .fetch_one(&stack.db)
                .await?;
        Ok(said)
    })
    .await?;
    assert!(answer.starts_with("451"), "{answer}");
    let wait: f64 = until("the job waits", SOON, async || {
        Ok(sqlx::query_scalar(
            "select extract(epoch from run_at - now())::float8 from queue.job where kind = 'email' and state = 'retryable'",
        )
        .fetch_optional(&stack.db)
        .await?)
    })
    .await?;
    assert!(wait > 30.0, "greylisting wants patience: {wait} s");
    server.be(Mood::Defers);
    another_try(&stack).await?;
    server.be(Mood::Takes);
    another_try(&stack).await?;
    comes_to(&stack, "greylisted", "sent").await?;
    // The message was given twice, and taken once: what is answered by 452 was not taken.
    assert_eq!(server.seen().messages.len(), 2);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_is_lost_is_never_sent_again() -> Result<()> {
    let server = SmtpServer::start(Mood::LosesAnswer).await?;
    let stack = mailing(&server, "none").start().await?;
    let _worker = worker(&stack, "post").await?;
    send(&stack, "lost", "ann@example.org").await?;
    comes_to(&stack, "lost", "unknown").await?;
    let (state, code) = job_ended(&stack).await?;
    assert_eq!(
        (state.as_str(), code.as_deref()),
        ("discarded", Some("email_unknown"))
    );
    // Not even when an operator retries the job.
    server.be(Mood::Takes);
    let id: uuid::Uuid = sqlx::query_scalar("select id from queue.history where kind = 'email'")
        .fetch_one(&stack.db)
        .await?;
    let mut tx = stack.db.begin().await?;
    let retried = millrace_queue::retry(&mut tx, id.to_string().parse()?).await?;
    tx.commit().await?;
    retried.wake.fire(&stack.notifier);
    stack.quiet().await?;
    assert_eq!(server.seen().messages.len(), 1);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_before_the_message_is_tried_again() -> Result<()> {
    let server = SmtpServer::start(Mood::LosesData).await?;
    let stack = mailing(&server, "none").start().await?;
    let _worker = worker(&stack, "post").await?;
    send(&stack, "before", "ann@example.org").await?;
    another_try(&stack).await?;
    server.be(Mood::Hangs);
    another_try(&stack).await?;
    assert_eq!(server.seen().messages.len(), 0);
    server.be(Mood::Takes);
    another_try(&stack).await?;
    comes_to(&stack, "before", "sent").await?;
    assert_eq!(server.seen().messages.len(), 1);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_before_the_answer_leaves_one_mail() -> Result<()> {
    let server = SmtpServer::start(Mood::Slow(Duration::from_secs(60))).await?;
    let stack = mailing(&server, "none")
        .set("email.timeout", "60s")
        .start()
        .await?;
    let mut first = worker(&stack, "first").await?;
    send(&stack, "slow", "ann@example.org").await?;
    until("the server has the message", SOON, async || {
        Ok((server.seen().messages.len() == 1).then_some(()))
    })
    .await?;
    first.kill()?;
    server.be(Mood::Takes);
    let _second = worker(&stack, "second").await?;
    comes_to(&stack, "slow", "unknown").await?;
    stack.quiet().await?;
    assert_eq!(server.seen().messages.len(), 1);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_without_the_tls_that_was_asked_for() -> Result<()> {
    for mood in [Mood::BadTls, Mood::NoTls] {
        let server = SmtpServer::start(mood).await?;
        let stack = mailing(&server, "required").start().await?;
        let _worker = worker(&stack, "post").await?;
        send(&stack, "private", "ann@example.org").await?;
        another_try(&stack).await?;
        let seen = server.seen();
        assert!(seen.connections >= 2, "{mood:?}: {seen:?}");
        assert!(
            !seen.in_the_clear && seen.messages.is_empty(),
            "{mood:?}: {seen:?}"
        );
        comes_to(&stack, "private", "queued").await?;
        stack.abandon().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn news_that_nobody_wants_any_more_is_dropped() -> Result<()> {
    let server = SmtpServer::start(Mood::Takes).await?;
    let stack = mailing(&server, "none").start().await?;
    let person = Person::register(&stack).await?;
    let user = person.id.parse()?;
    let to = Recipient::of(&stack.db, user).await?.context("nobody")?;
    let _worker = worker(&stack, "post").await?;
    until("the address is asked for", SOON, async || {
        Ok((server.seen().messages.len() == 1).then_some(()))
    })
    .await?;
    let message = Message::VideoReady {
        video: VideoId::new(),
    };
    let mut tx = stack.db.begin().await?;
    for key in ["gone", "ended"] {
        let new = NewEmail {
            key,
            to: &to,
            message: &message,
        };
        let wake = millrace_jobs::flows::send_email(&mut tx, new).await?;
        tx.commit().await?;
        wake.fire(&stack.notifier);
        let why = comes_to(&stack, key, "dropped").await?;
        assert!(
            why.contains(if key == "gone" { "gone" } else { "want" }),
            "{why}"
        );
        set_preference(&stack.db, user, Kind::VideoReady, None, Some(false)).await?;
        tx = stack.db.begin().await?;
    }
    // Who ended mail of a kind is not even queued any.
    let _nothing = millrace_jobs::flows::tell_by_mail(&mut tx, user, "never", &message).await?;
    tx.commit().await?;
    let queued: i64 = sqlx::query_scalar("select count(*) from emails where key = 'never'")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(queued, 0);
    stack.quiet().await?;
    assert_eq!(server.seen().messages.len(), 1);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forgot_their_password_gets_a_link_and_strangers_get_nothing() -> Result<()> {
    let server = SmtpServer::start(Mood::Takes).await?;
    let stack = mailing(&server, "none").start().await?;
    let person = Person::register(&stack).await?;
    let _worker = worker(&stack, "post").await?;
    for identifier in [person.name.as_str(), "nobody", "nobody@example.org"] {
        let body = serde_json::json!({ "identifier": identifier });
        person.post("/api/auth/forgot", body).await?.expect(202)?;
    }
    stack.quiet().await?;
    let sent: Vec<(String, String)> = sqlx::query_as(
        "select recipient::text, state from emails where message = 'reset_password'",
    )
    .fetch_all(&stack.db)
    .await?;
    let theirs = format!("{}@example.org", person.name);
    assert_eq!(sent, [(theirs, "sent".to_owned())]);
    // That one, and the one that asked for the address to be confirmed.
    assert_eq!(server.seen().messages.len(), 2);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_job_is_spent_says_so() -> Result<()> {
    let server = SmtpServer::start(Mood::Greylists).await?;
    let stack = mailing(&server, "none").start().await?;
    send(&stack, "farewell", "ann@example.org").await?;
    sqlx::query("update queue.job set max_attempts = 1 where kind = 'email'")
        .execute(&stack.db)
        .await?;
    let _worker = worker(&stack, "post").await?;
    let answer = comes_to(&stack, "farewell", "failed").await?;
    // What the server said last is what whoever looks wants to know.
    assert!(answer.starts_with("451"), "{answer}");
    assert_eq!(job_ended(&stack).await?.0, "discarded");
    stack.quiet().await?;
    stack.end().await
}
