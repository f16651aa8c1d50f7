//! What all workers together can do.

use std::time::Duration;

use millrace_queue::{Done, live_slots};
use tokio::time::timeout;

use crate::harness::{Bench, Db, PATIENCE};

/// Waits until so many places are known.
async fn has_slots(db: &Db, queue: &str, slots: u32) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let waited = timeout(PATIENCE, async {
        while live_slots(&db.pool, queue).await.expect("readable") != slots {
            tick.tick().await;
        }
    });
    waited
        .await
        .expect("the places are as many as they should be");
    let seen: i64 = sqlx::query_scalar("select slots from queue.autoscale where queue = $1")
        .bind(queue)
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    // A worker that is alone and rests: callers of the function divide by it.
    assert_eq!(seen, if slots == 1 { 0 } else { i64::from(slots) });
}

#[tokio::test]
async fn a_worker_that_rests_has_no_places() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let (worker, holds) = db
        .worker_and_holds(&bench, |options| {
            options.queues = vec![("heavy".to_owned(), 4), ("default".to_owned(), 2)];
            // Only what is told at once comes in time.
            options.lease = Duration::from_secs(300);
            options.heartbeat = Duration::from_secs(100);
        })
        .await;
    has_slots(&db, "default", 2).await;
    has_slots(&db, "heavy", 1).await;
    holds.release("heavy");
    has_slots(&db, "heavy", 4).await;
    holds.hold("heavy");
    has_slots(&db, "heavy", 1).await;
    has_slots(&db, "default", 2).await;
    worker.drain().await;
}
