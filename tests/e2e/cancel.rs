//! Cancel and retry, as the owner sees them.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Clip, Person, Stack, processes, until};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn cancel_stops_the_encoders_within_two_seconds_and_retry_goes_on_from_there() -> Result<()> {
    let stack = Stack::start().await?;
    let mut worker = stack
        .worker_with("slow", &[("media.preset", "veryslow")])
        .await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(32, "1280x720").unusual()).await?;
    let encoding =
        |video: &serde_json::Value| video["stage"] == "encoding" && video["playable"] == true;
    person
        .sees(
            &id,
            "the video is being encoded",
            Duration::from_secs(150),
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

    let kept = segments(&stack, &id).await?;
    assert!(!kept.is_empty(), "nothing was stored before the cancel");

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
    // A failure of the first round that arrives only now is not this round's.
    sqlx::query(
        "insert into queue.job (id, kind, queue, state, args, max_attempts, max_crashes, timeout_ms, backoff)
         select gen_random_uuid(), 'video_failed', 'default', 'available',
                jsonb_build_object('video', $1, 'generation', 1, 'round', 1), 3, 3, 60000, backoff
           from queue.job where group_id is not null limit 1",
    )
    .bind(&id)
    .execute(&stack.db)
    .await?;
    person.sees_ready(&id, Duration::from_secs(150)).await?;
    stack.quiet().await?;
    let all = segments(&stack, &id).await?;
    assert!(all.len() > kept.len());
    for segment in &kept {
        assert!(all.contains(segment), "{segment:?} was made again");
    }
    let (generation, round): (i32, i16) =
        sqlx::query_as("select generation, round from videos where id::text = $1")
            .bind(&id)
            .fetch_one(&stack.db)
            .await?;
    assert_eq!((generation, round), (1, 2));
    let probes: i64 = sqlx::query_scalar("select count(*) from queue.history where kind = 'probe'")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(probes, 1);
    person
        .post(&format!("/api/videos/{id}/retry"), json!({}))
        .await?
        .expect_problem(409, "conflict")?;
    stack.end().await
}

/// The segments of a picture that are stored: rendition, number, key.
async fn segments(stack: &Stack, id: &str) -> Result<Vec<(String, i32, String)>> {
    let rows = sqlx::query_as(
        "select rendition, n, key from segments where video_id::text = $1 and rendition <> 'audio' order by 1, 2",
    );
    Ok(rows.bind(id).fetch_all(&stack.db).await?)
}
