//! Answers that the database does not take at once.

use std::time::Duration;

use millrace_queue::{Done, State, enqueue_all};
use tokio::time::{interval, timeout};

use crate::harness::{Bench, Db, Log, PATIENCE, Step, sql};

fn counting(log: &Log) -> Bench {
    let log = log.clone();
    Bench::new(move |step, _| {
        log.push(step.n);
        async { Ok(Done::Completed) }
    })
}

#[tokio::test]
async fn a_batch_of_answers_that_failed_is_given_again() {
    let db = Db::new().await;
    let log = Log::default();
    let mut conn = db.conn().await;
    // The first three batches fail as a whole.
    for text in [
        "create sequence failures",
        "create function fail() returns trigger language plpgsql as $$
         begin
             if nextval('failures') <= 3 then
                 raise exception 'not now' using errcode = '40001';
             end if;
             return null;
         end $$",
        "create trigger fail after insert on queue.history for each statement execute function fail()",
    ] {
        sql(&mut conn, text).await;
    }
    let worker = db.worker(&counting(&log)).await;
    let placed = enqueue_all(&mut conn, (0..50).map(Step::job).collect())
        .await
        .expect("enqueued");
    placed.wake.fire(&worker.notifier);
    for job in placed.ids {
        let row = db.reaches(job.id, State::Completed).await;
        assert_eq!((row.run_no, row.crash_count), (1, 0));
    }
    let tries: i64 = sqlx::query_scalar("select last_value from failures")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert!(tries > 3, "{tries}");
    assert!(worker.drain().await.clean);
    assert_eq!(log.all().len(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_pile_up_stop_the_claims_and_are_all_taken_in_the_end() {
    /// What the engine lets pile up.
    const BACKLOG: usize = 10_000;
    const SLOTS: usize = 100;
    const JOBS: usize = BACKLOG + 2_000;
    let db = Db::new().await;
    let log = Log::default();
    let mut conn = db.conn().await;
    for chunk in (0..JOBS as i64).collect::<Vec<_>>().chunks(1_000) {
        let jobs = chunk.iter().map(|&n| Step::job(n)).collect();
        drop(enqueue_all(&mut conn, jobs).await.expect("enqueued").wake);
    }
    // Nothing can end while this is held.
    let mut block = db.pool.begin().await.expect("begun");
    sql(&mut block, "lock table queue.history in exclusive mode").await;
    let worker = db
        .worker_with(&counting(&log), |o| {
            o.queues = vec![("default".to_owned(), SLOTS)];
            o.lease = Duration::from_secs(60);
            o.heartbeat = Duration::from_secs(20);
        })
        .await;
    let mut tick = interval(Duration::from_millis(10));
    let full = async {
        while log.all().len() < BACKLOG {
            tick.tick().await;
        }
        // Two samples of the worker later it would have claimed more.
        let mut samples = Vec::new();
        while samples.len() < 3 {
            tick.tick().await;
            let at: Option<chrono::DateTime<chrono::Utc>> =
                sqlx::query_scalar("select max(sampled_at) from queue.depth")
                    .fetch_one(&db.pool)
                    .await
                    .expect("readable");
            if !samples.contains(&at) {
                samples.push(at);
            }
        }
    };
    timeout(PATIENCE, full).await.expect("it fills up");
    let begun = log.all().len();
    assert!(
        begun <= BACKLOG + SLOTS,
        "{begun} began though no answer was taken"
    );
    block.rollback().await.expect("free");
    let mut left = JOBS as i64;
    let ends = async {
        while left > 0 {
            tick.tick().await;
            left = sqlx::query_scalar("select count(*) from queue.job")
                .fetch_one(&db.pool)
                .await
                .expect("readable");
        }
    };
    timeout(PATIENCE, ends).await.expect("all of them end");
    assert!(worker.drain().await.clean);
    let mut ran = log.all();
    ran.sort_unstable();
    assert_eq!(ran, (0..JOBS as i64).collect::<Vec<_>>());
}
