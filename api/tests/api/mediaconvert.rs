//! Events of MediaConvert: whom they are taken from, and what they may change.

use millrace_domain::{
    ids::VideoId,
    mediaconvert::{Intent, JobStatus, Seen},
    videos::Visibility,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::stack::{Stack, answer};

const TODAYS: &str = "the secret of these tests, long enough";
const YESTERDAYS: &str = "the one before it, also long enough";

async fn stack() -> Stack {
    Stack::start_with(&format!(
        "[mediaconvert]\nevent_secret = \"{TODAYS}\"\nprevious_event_secret = \"{YESTERDAYS}\""
    ))
    .await
}

/// A video that is being made, and the row of its job.
async fn converting(stack: &Stack) -> (VideoId, Intent) {
    let ann = stack.person("ann").await;
    let video = stack.video(&ann, Visibility::Public).await;
    sqlx::query("update videos set duration = 100, has_video = true, has_audio = true, stage = 'encoding' where id = $1")
        .bind(video.0)
        .execute(&stack.db)
        .await
        .unwrap();
    let mut conn = stack.db.acquire().await.unwrap();
    let intent = Intent::begin(&mut conn, video, 1, 1).await.unwrap();
    assert!(Intent::asking(&mut *conn, intent.id).await.unwrap());
    (video, intent)
}

fn event(intent: &Intent, status: &str, percent: i32) -> Value {
    json!({
        "version": "0", "id": "1234abcd-12ab-34cd-56ef-1234567890ab", "detail-type": "MediaConvert Job State Change",
        "source": "aws.mediaconvert", "account": "111122223333", "time": "2026-01-07T23:35:20Z", "region": "us-west-2",
        "resources": ["arn:aws:mediaconvert:us-west-2:111122223333:jobs/1515368087458-qnoxtd"],
        "detail": {
            "timestamp": 1_515_368_120_764_i64, "accountId": "111122223333", "queue": "Default",
            "jobId": "1515368087458-qnoxtd", "status": status, "userMetadata": {"millrace": intent.id},
            "jobProgress": {"jobPercentComplete": percent, "currentPhase": "TRANSCODING"}
        }
    })
}

async fn send(stack: &Stack, secret: &str, event: &Value) -> (StatusCode, Value) {
    let request = stack.request(Method::POST, "/api/mediaconvert/events");
    answer(request.header("x-mediaconvert-secret", secret).json(event)).await
}

async fn row(stack: &Stack, intent: &Intent) -> Intent {
    Intent::find(&stack.db, intent.id).await.unwrap().unwrap()
}

async fn percent(stack: &Stack, video: VideoId) -> i16 {
    sqlx::query_scalar("select processing_progress from videos where id = $1")
        .bind(video.0)
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn only_who_knows_a_secret_is_heard() {
    let stack = stack().await;
    let (_, intent) = converting(&stack).await;
    let update = event(&intent, "STATUS_UPDATE", 40);
    for wrong in ["", "x", &TODAYS[1..]] {
        let (status, body) = send(&stack, wrong, &update).await;
        assert_eq!(
            (status.as_u16(), body["code"].as_str()),
            (401, Some("unauthenticated"))
        );
    }
    let bare = stack.request(Method::POST, "/api/mediaconvert/events");
    assert_eq!(answer(bare.json(&update)).await.0, 401);
    assert_eq!(row(&stack, &intent).await.percent, 0);
    assert_eq!(send(&stack, YESTERDAYS, &update).await.0, 204);
    assert_eq!(send(&stack, TODAYS, &update).await.0, 204);
    let heard = row(&stack, &intent).await;
    assert_eq!((heard.percent, heard.status), (40, JobStatus::Progressing));
    assert_eq!(heard.external_id.as_deref(), Some("1515368087458-qnoxtd"));
    stack.stop().await;
}

#[tokio::test]
async fn without_a_secret_in_the_settings_nobody_is_heard() {
    let stack = Stack::start().await;
    let (_, intent) = converting(&stack).await;
    let update = event(&intent, "STATUS_UPDATE", 40);
    for secret in ["", TODAYS] {
        assert_eq!(send(&stack, secret, &update).await.0, 401);
    }
    stack.stop().await;
}

#[tokio::test]
async fn events_come_twice_and_in_any_order_and_only_raise() {
    let stack = stack().await;
    let (video, intent) = converting(&stack).await;
    let mut last = 0;
    for (status, said, expected) in [
        ("STATUS_UPDATE", 60, 60),
        ("SUBMITTED", 0, 60),
        ("PROGRESSING", 10, 60),
        ("STATUS_UPDATE", 60, 60),
        ("STATUS_UPDATE", 250, 100),
    ] {
        assert_eq!(
            send(&stack, TODAYS, &event(&intent, status, said)).await.0,
            204
        );
        let heard = row(&stack, &intent).await;
        assert_eq!(
            (heard.percent, heard.status),
            (expected, JobStatus::Progressing),
            "{status} {said}"
        );
        let now = percent(&stack, video).await;
        assert!(now >= last, "{now} after {last}");
        last = now;
    }
    assert_eq!(last, 96);
    // An event says the end, and is not believed; their answer is, and then no event changes anything.
    assert_eq!(
        send(&stack, TODAYS, &event(&intent, "ERROR", 100)).await.0,
        204
    );
    assert_eq!(row(&stack, &intent).await.ended_at, None);
    let mut conn = stack.db.acquire().await.unwrap();
    let answered = Seen {
        id: None,
        status: JobStatus::Complete,
        percent: 100,
        code: None,
        message: None,
    };
    Intent::hear(&mut conn, intent.id, &answered).await.unwrap();
    for late in ["PROGRESSING", "ERROR", "CANCELED"] {
        assert_eq!(send(&stack, TODAYS, &event(&intent, late, 5)).await.0, 204);
        assert_eq!(row(&stack, &intent).await.status, JobStatus::Complete);
    }
    drop(conn);
    stack.stop().await;
}

#[tokio::test]
async fn events_about_others_are_taken_and_nonsense_is_not() {
    let stack = stack().await;
    let (_, intent) = converting(&stack).await;
    let mut foreign = event(&intent, "COMPLETE", 100);
    foreign["detail"]["userMetadata"] = json!({"somebody": "else"});
    assert_eq!(send(&stack, TODAYS, &foreign).await.0, 204);
    foreign["detail"]["userMetadata"] = json!({"millrace": "not an id"});
    assert_eq!(send(&stack, TODAYS, &foreign).await.0, 204);
    foreign["detail"]["userMetadata"] = json!({"millrace": uuid::Uuid::now_v7()});
    assert_eq!(send(&stack, TODAYS, &foreign).await.0, 204);
    assert_eq!(row(&stack, &intent).await.status, JobStatus::Intended);
    let (status, body) = send(&stack, TODAYS, &json!({"source": "aws.mediaconvert"})).await;
    assert_eq!(
        (status.as_u16(), body["code"].as_str()),
        (422, Some("validation"))
    );
    stack.stop().await;
}

#[tokio::test]
async fn an_end_wakes_the_job_that_waits() {
    let stack = stack().await;
    let (_, intent) = converting(&stack).await;
    let waiter = uuid::Uuid::now_v7();
    sqlx::query(
        "insert into queue.job (id, kind, queue, state, args, max_attempts, max_crashes, timeout_ms, backoff, run_at)
         values ($1, 'mediaconvert_poll', 'default', 'scheduled', '{}', 3, 3, 60000, '{}', now() + interval '1 hour')",
    )
    .bind(waiter)
    .execute(&stack.db)
    .await
    .unwrap();
    Intent::wait(&stack.db, intent.id, waiter).await.unwrap();
    let state = async || -> String {
        sqlx::query_scalar("select state::text from queue.job where id = $1")
            .bind(waiter)
            .fetch_one(&stack.db)
            .await
            .unwrap()
    };
    send(&stack, TODAYS, &event(&intent, "STATUS_UPDATE", 20)).await;
    assert_eq!(state().await, "scheduled");
    send(&stack, TODAYS, &event(&intent, "COMPLETE", 100)).await;
    assert_eq!(state().await, "available");
    stack.stop().await;
}
