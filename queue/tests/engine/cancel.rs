//! Cancelling, from anywhere.

use std::time::{Duration, Instant};

use millrace_queue::{
    CancelReason, CancelState, Done, State, Wake, cancel_group, discard, enqueue, enqueue_all,
    request_cancel, request_cancel_within,
};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::harness::{Bench, Db, Step, next};

/// Tells when it starts, runs until it is told to stop, and tells why.
fn patient() -> (
    Bench,
    mpsc::UnboundedReceiver<i64>,
    mpsc::UnboundedReceiver<CancelReason>,
) {
    let (started, starts) = mpsc::unbounded_channel();
    let (stopped, stops) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        let (started, stopped) = (started.clone(), stopped.clone());
        async move {
            started.send(step.n).expect("the test listens");
            run.cancelled().cancelled().await;
            stopped
                .send(run.cancel_reason().expect("a reason"))
                .expect("the test listens");
            Err("stopped".into())
        }
    });
    (bench, starts, stops)
}

#[tokio::test]
async fn a_job_that_nobody_runs_is_cancelled_at_once() {
    let db = Db::new().await;
    let id = db.put(Step::job(1)).await;
    let mut conn = db.conn().await;
    let answer = request_cancel(&mut conn, id, "changed my mind")
        .await
        .expect("answered");
    assert_eq!(answer.state, CancelState::Cancelled);
    let row = db.job(id).await;
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::Cancelled, Some("changed my mind"))
    );
    let again = request_cancel(&mut conn, id, "again")
        .await
        .expect("answered");
    assert_eq!(again.state, CancelState::NotLive);
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_running_job_is_cancelled_from_another_process() {
    let db = Db::new().await;
    let (bench, mut starts, mut stops) = patient();
    let worker = db
        .worker_with(&bench, |o| o.poll = Duration::from_secs(5))
        .await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    // Only the database and the notification connect the two.
    let mut conn = db.conn().await;
    let asked = Instant::now();
    let answer = request_cancel(&mut conn, id, "by the owner")
        .await
        .expect("answered");
    assert_eq!(answer.state, CancelState::Requested);
    answer.wake.fire(&worker.notifier);
    assert_eq!(next(&mut stops).await, CancelReason::Requested);
    let row = db.reaches(id, State::Cancelled).await;
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "well before the poll"
    );
    assert_eq!(
        (row.code.as_deref(), row.reason.as_deref()),
        (Some("cancelled"), Some("by the owner"))
    );
    worker.drain().await;
}

#[tokio::test]
async fn a_cancellation_arrives_by_the_poll_when_nobody_notifies() {
    let db = Db::new().await;
    let (bench, mut starts, mut stops) = patient();
    let worker = db.worker_with(&bench, |o| o.deaf = true).await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    let mut conn = db.conn().await;
    let _ = request_cancel(&mut conn, id, "quietly")
        .await
        .expect("answered");
    assert_eq!(next(&mut stops).await, CancelReason::Requested);
    db.reaches(id, State::Cancelled).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_handler_that_does_not_listen_is_dropped() {
    let db = Db::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, _| {
        let started = started.clone();
        async move {
            started.send(()).expect("the test listens");
            std::future::pending::<()>().await;
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    let mut conn = db.conn().await;
    request_cancel(&mut conn, id, "now")
        .await
        .expect("answered")
        .wake
        .fire(&worker.notifier);
    db.reaches(id, State::Cancelled).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_group_is_cancelled_together() {
    let db = Db::new().await;
    let (bench, mut starts, mut stops) = patient();
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 1)])
        .await;
    let group = Uuid::now_v7();
    let (running, queued) = (Step::job(1).group(group), Step::job(2).group(group));
    let child = Step::job(3)
        .group(group)
        .after(&[running.id(), queued.id()]);
    let outsider = Step::job(4).delay(Duration::from_secs(60));
    let ids = [&running, &queued, &child].map(millrace_queue::NewJob::id);
    let outside = outsider.id();
    let mut conn = db.conn().await;
    drop(
        enqueue_all(&mut conn, vec![running, queued, child, outsider])
            .await
            .expect("enqueued"),
    );
    next(&mut starts).await;
    let answer = cancel_group(&mut conn, group, "video was deleted")
        .await
        .expect("answered");
    assert_eq!((answer.cancelled, answer.requested), (2, 1));
    answer.wake.fire(&worker.notifier);
    assert_eq!(next(&mut stops).await, CancelReason::Requested);
    for id in ids {
        let row = db.reaches(id, State::Cancelled).await;
        assert_eq!(row.reason.as_deref(), Some("video was deleted"));
    }
    assert_eq!(db.job(outside).await.state, State::Scheduled);
    worker.drain().await;
}

#[tokio::test]
async fn a_job_that_was_asked_to_stop_completes_nothing_any_more() {
    let db = Db::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let bench = Bench::new({
        let (go, pool) = (go.clone(), db.pool.clone());
        move |_, run| {
            let (go, pool, started) = (go.clone(), pool.clone(), started.clone());
            async move {
                started.send(()).expect("the test listens");
                go.notified().await;
                run.complete(&pool, async |_tx| {
                    panic!("the effect must not happen");
                    #[expect(unreachable_code, reason = "names the type")]
                    Ok::<_, sqlx::Error>(Wake::none())
                })
                .await
            }
        }
    });
    // Deaf and slow to poll: the run does not know yet.
    let worker = db
        .worker_with(&bench, |o| {
            o.deaf = true;
            o.poll = Duration::from_secs(10);
        })
        .await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    let mut conn = db.conn().await;
    let _ = request_cancel(&mut conn, id, "too late?")
        .await
        .expect("answered");
    go.notify_one();
    let row = db.reaches(id, State::Cancelled).await;
    assert_eq!(row.reason.as_deref(), Some("too late?"));
    worker.drain().await;
}

#[tokio::test]
async fn a_discarded_job_stops_within_a_second_and_its_worker_writes_nothing() {
    let db = Db::new().await;
    let (bench, mut starts, mut stops) = patient();
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    let mut conn = db.conn().await;
    let asked = Instant::now();
    let answer = discard(&mut conn, id, "by an operator")
        .await
        .expect("answered");
    assert!(answer.done);
    // Nobody is told: the loss of the lease is found.
    drop(answer.wake);
    assert_eq!(next(&mut stops).await, CancelReason::LeaseLost);
    assert!(asked.elapsed() < Duration::from_secs(1));
    worker.drain().await;
    let row = db.job(id).await;
    assert_eq!(
        (row.state, row.code.as_deref()),
        (State::Discarded, Some("discarded"))
    );
    assert_eq!(row.errors, serde_json::json!([]));
}

#[tokio::test]
async fn a_cancel_is_requested_delivered_and_then_carried_out() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        let said = said.clone();
        async move {
            said.send(step.n).expect("the test listens");
            // Does not listen.
            std::future::pending::<()>().await;
            drop(run);
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let mut conn = db.conn().await;
    let enqueued = enqueue(&mut conn, Step::job(1)).await.expect("enqueued");
    enqueued.wake.fire(&worker.notifier);
    next(&mut heard).await;
    let grace = Duration::from_millis(700);
    let answer = request_cancel_within(&mut conn, enqueued.id, "enough", grace).await;
    answer.expect("requested").wake.fire(&worker.notifier);
    let row = db.reaches(enqueued.id, State::Cancelled).await;
    assert_eq!(row.reason.as_deref(), Some("enough"));
    let stages: (bool, bool) = sqlx::query_as(
        "select cancel_delivered_at >= cancel_requested_at, finished_at >= cancel_delivered_at + interval '0.7 s'
           from queue.history where id = $1",
    )
    .bind(enqueued.id)
    .fetch_one(&db.pool)
    .await
    .expect("readable");
    assert_eq!(stages, (true, true));
    worker.drain().await;
}
