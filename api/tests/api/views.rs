//! What counts as a view.

use millrace_domain::{ids::VideoId, videos::Visibility, views};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Person, Stack, answer};

/// So short that a ticket is old enough at once.
const BLINK: f64 = 0.002;

async fn begin(stack: &Stack, person: Option<&Person>, id: VideoId, viewer: Value) -> Value {
    let mut request = stack.request(Method::POST, &format!("/api/videos/{id}/watch"));
    if let Some(person) = person {
        request = request.bearer_auth(&person.token);
    }
    let (status, ticket) = answer(request.json(&json!({ "viewer": viewer }))).await;
    assert_eq!(status, 201, "{ticket}");
    ticket
}

async fn report(stack: &Stack, id: VideoId, ticket: &Value, watched: f64) -> u16 {
    let request = stack.request(Method::POST, &format!("/api/videos/{id}/watch/report"));
    let body = json!({"ticket": ticket["ticket"], "watched": watched, "position": 1.0, "at": "2026-01-01T00:00:00Z"});
    answer(request.json(&body)).await.0.as_u16()
}

async fn counted(stack: &Stack, id: VideoId) -> i64 {
    views::flush(&stack.db).await.unwrap();
    sqlx::query_scalar("select views from videos where id = $1")
        .bind(id.0)
        .fetch_one(&stack.db)
        .await
        .unwrap()
}

#[tokio::test]
async fn somebody_who_watches_twice_a_day_counts_once() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let id = stack.listed(&ann, BLINK).await;
    let anonymous = begin(&stack, None, id, Value::Null).await;
    let again = begin(&stack, None, id, anonymous["viewer"].clone()).await;
    assert_eq!(anonymous["viewer"], again["viewer"]);
    let forged = begin(&stack, None, id, json!("AAAA")).await;
    assert_ne!(forged["viewer"], "AAAA");
    let known = begin(&stack, Some(&bob), id, Value::Null).await;
    assert!(known["viewer"].is_null());
    for ticket in [&anonymous, &again, &forged, &known, &known] {
        // Half of the video by the clock of this process: then the ticket is as old by the server's.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        assert_eq!(report(&stack, id, ticket, 5.0).await, 204);
    }
    assert_eq!(counted(&stack, id).await, 3);
    assert_eq!(counted(&stack, id).await, 3);
    // A day later they count again, and what is older is forgotten.
    sqlx::query("update video_views set counted_at = counted_at - interval '25 hours'")
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(report(&stack, id, &known, 5.0).await, 204);
    assert_eq!(counted(&stack, id).await, 4);
    let kept: i64 = sqlx::query_scalar("select count(*) from video_views")
        .fetch_one(&stack.db)
        .await
        .unwrap();
    assert_eq!(kept, 1);
    stack.stop().await;
}

#[tokio::test]
async fn nobody_counts_faster_than_they_could_watch() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let (long, short) = (
        stack.listed(&ann, 600.0).await,
        stack.listed(&ann, BLINK).await,
    );
    let ticket = begin(&stack, None, long, Value::Null).await;
    assert_eq!(ticket["counts_after"], 10.0);
    assert_eq!(report(&stack, long, &ticket, 500.0).await, 204);
    assert_eq!(counted(&stack, long).await, 0);
    // Long enough ago, but not watched.
    let ticket = begin(&stack, None, short, Value::Null).await;
    assert_eq!(report(&stack, short, &ticket, 0.0).await, 204);
    assert_eq!(counted(&stack, short).await, 0);
    // One video's ticket is nothing for another.
    assert_eq!(report(&stack, long, &ticket, 5.0).await, 422);
    assert_eq!(
        report(&stack, short, &json!({"ticket": "x"}), 5.0).await,
        422
    );
    assert_eq!(report(&stack, short, &ticket, -1.0).await, 422);
    let hidden = stack.video(&ann, Visibility::Private).await;
    let request = stack.request(Method::POST, &format!("/api/videos/{hidden}/watch"));
    assert_eq!(answer(request.json(&json!({}))).await.0, 404);
    // Last words about what is gone are no error, and no view.
    let ticket = begin(&stack, None, short, Value::Null).await;
    tokio::time::sleep(std::time::Duration::from_secs_f64(BLINK)).await;
    sqlx::query("update videos set visibility = 'private' where id = $1")
        .bind(short.0)
        .execute(&stack.db)
        .await
        .unwrap();
    assert_eq!(report(&stack, short, &ticket, 5.0).await, 204);
    assert_eq!(counted(&stack, short).await, 0);
    stack.stop().await;
}

#[tokio::test]
async fn a_flush_that_dies_loses_nothing_and_counts_nothing_twice() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.listed(&ann, BLINK).await;
    for _ in 0..3 {
        views::note(&stack.db, id, uuid::Uuid::now_v7())
            .await
            .unwrap();
    }
    // Somebody holds the video: the flush has taken the views and waits, and dies there.
    let mut holder = stack.db.begin().await.unwrap();
    sqlx::query("select from videos where id = $1 for update")
        .bind(id.0)
        .execute(&mut *holder)
        .await
        .unwrap();
    let db = stack.db.clone();
    let flush = tokio::spawn(async move { views::flush(&db).await });
    let waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let pid: i32 = loop {
        if let Some(pid) = sqlx::query_scalar(waiting)
            .fetch_optional(&stack.db)
            .await
            .unwrap()
        {
            break pid;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    };
    sqlx::query("select pg_terminate_backend($1)")
        .bind(pid)
        .execute(&stack.db)
        .await
        .unwrap();
    assert!(flush.await.unwrap().is_err());
    // Its locks go with its process; a flush passes over what somebody else holds.
    let lives = "select exists (select from pg_stat_activity where pid = $1)";
    while sqlx::query_scalar::<_, bool>(lives)
        .bind(pid)
        .fetch_one(&stack.db)
        .await
        .unwrap()
    {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    holder.rollback().await.unwrap();
    assert_eq!(counted(&stack, id).await, 3);
    stack.stop().await;
}
