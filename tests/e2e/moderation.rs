//! Suspensions that end by themselves, though a worker dies.

use std::time::Duration;

use anyhow::Result;
use chrono::{TimeDelta, Utc};
use millrace_tests::{Person, Stack, person::PASSWORD, until};
use reqwest::Method;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_ends_at_its_time_though_a_worker_dies() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let (ann, ada) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    sqlx::query("update users set role = 'admin' where username = $1")
        .bind(&ada.name)
        .execute(&stack.db)
        .await?;
    let mut worker = stack.worker("first").await?;
    let id = ann.get("/api/me").await?.expect(200)?["id"].clone();
    let end = Utc::now() + TimeDelta::seconds(3);
    let body = json!({
        "target": "channel", "target_id": id, "action": "suspend", "reason": "spam", "until": end,
    });
    ada.post("/api/admin/decisions", body).await?.expect(201)?;
    let log_in = json!({ "identifier": ann.name, "password": PASSWORD });
    let stranger = Person::stranger(&stack)?;
    stranger
        .post("/api/auth/login", log_in.clone())
        .await?
        .expect_problem(403, "account_suspended")?;
    worker.kill()?;
    let _second = stack.worker("second").await?;

    until("she is in again", Duration::from_secs(30), async || {
        let answer = stranger.post("/api/auth/login", log_in.clone()).await?;
        Ok(answer.expect(200).ok().map(|_| ()))
    })
    .await?;
    assert!(Utc::now() >= end, "not before");
    let told: Vec<(String, i64)> = sqlx::query_as(
        "select message, count(*) from emails where message like 'decision%' group by 1 order by 1",
    )
    .fetch_all(&stack.db)
    .await?;
    assert_eq!(
        told,
        [
            ("decision".to_owned(), 1),
            ("decision_lifted".to_owned(), 1)
        ]
    );
    let lifted: (String, Option<String>) = sqlx::query_as(
        "select d.lifted_for, a.actor from moderation_decisions d
           join audit_log a on a.target_id = d.target_id and a.action = 'lift'",
    )
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(lifted, ("time".to_owned(), Some("system".to_owned())));
    stack.quiet().await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reported_something_hears_what_became_of_it() -> Result<()> {
    let stack = Stack::with_short_leases().light().start().await?;
    let (ann, bob, eve, ada) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    sqlx::query("update users set role = 'admin' where username = $1")
        .bind(&ada.name)
        .execute(&stack.db)
        .await?;
    let _worker = stack.worker("staff").await?;
    let wish = json!({ "email": true });
    let typed = [("content-type", "application/json")];
    let path = "/api/notifications/preferences/report";
    eve.send(Method::PATCH, path, &typed, wish.to_string().into_bytes())
        .await?
        .expect(200)?;
    // Each decision settles a case of its own: nothing was wrong, then something was.
    for (action, upheld) in [("dismiss", false), ("suspend", true)] {
        for reporter in [&bob, &eve] {
            let body = json!({ "target": "channel", "target_id": ann.id, "reason": "spam" });
            reporter.post("/api/reports", body).await?.expect(201)?;
        }
        let body = json!({
            "target": "channel", "target_id": ann.id, "action": action, "reason": "spam",
        });
        ada.post("/api/admin/decisions", body).await?.expect(201)?;
        stack.quiet().await?;
        for reporter in [&bob, &eve] {
            let page = reporter.get("/api/notifications").await?.expect(200)?;
            let news = &page["items"][0];
            assert_eq!(
                (&news["kind"], &news["upheld"], &news["actor"]),
                (&json!("report"), &json!(upheld), &json!(null)),
                "{page}"
            );
        }
    }
    let mails: Vec<(String, i64)> = sqlx::query_as(
        "select name, count(*) from emails where message = 'report_decided' group by 1",
    )
    .fetch_all(&stack.db)
    .await?;
    assert_eq!(mails, [(eve.name.clone(), 2)], "who asked for mail");
    let told: i64 = sqlx::query_scalar("select count(*) from notifications where kind = 'report'")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(told, 4);
    stack.end().await
}
