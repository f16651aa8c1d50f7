//! Cancel and retry, as the owner sees them.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Clip, Person, Stack, processes, until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_the_encoders_within_two_seconds_and_retry_begins_anew() -> Result<()> {
    let stack = Stack::start().await?;
    let mut worker = stack
        .worker_with("slow", &[("media.preset", "veryslow")])
        .await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(32, "1280x720")).await?;
    let encoding = |video: &serde_json::Value| {
        video["stage"] == "encoding" && video["progress"].as_i64() > Some(2)
    };
    person
        .sees(
            &id,
            "the video is being encoded",
            Duration::from_secs(60),
            encoding,
        )
        .await?;
    until("encoders run", Duration::from_secs(10), async || {
        Ok((!processes::encoders(worker.pid()).is_empty()).then_some(()))
    })
    .await?;

    let cancelled = person
        .post(&format!("/api/videos/{id}/cancel"), json!({}))
        .await?
        .expect(202)?;
    assert_eq!(
        (&cancelled["status"], &cancelled["error"]["code"]),
        (&json!("failed"), &json!("cancelled"))
    );
    until(
        "the encoders are gone",
        Duration::from_secs(2),
        async || Ok(processes::encoders(worker.pid()).is_empty().then_some(())),
    )
    .await?;
    assert!(worker.is_running());
    person
        .post(&format!("/api/videos/{id}/cancel"), json!({}))
        .await?
        .expect_problem(409, "conflict")?;
    stack.quiet().await?;
    let after = person.video(&id).await?;
    assert_eq!(
        (&after["status"], &after["playable"], &after["hls_url"]),
        (&json!("failed"), &json!(false), &json!(null))
    );

    // A faster worker for the second try.
    worker.terminate()?;
    worker.ended(Duration::from_secs(30)).await?;
    let _worker = stack.worker("fast").await?;
    let again = person
        .post(&format!("/api/videos/{id}/retry"), json!({}))
        .await?
        .expect(202)?;
    assert_eq!(
        (&again["status"], &again["error"]),
        (&json!("processing"), &json!(null))
    );
    person.sees_ready(&id, Duration::from_secs(150)).await?;
    stack.quiet().await?;
    assert!(
        stack
            .storage
            .list(&format!("hls/{id}/1/"))
            .await?
            .is_empty()
    );
    assert!(
        stack
            .storage
            .list(&format!("images/{id}/1/"))
            .await?
            .is_empty()
    );
    assert!(
        !stack
            .storage
            .list(&format!("hls/{id}/2/"))
            .await?
            .is_empty()
    );
    person
        .post(&format!("/api/videos/{id}/retry"), json!({}))
        .await?
        .expect_problem(409, "conflict")?;
    stack.end().await
}
