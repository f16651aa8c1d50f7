//! How workers stop, and start.

use std::time::{Duration, Instant};

use millrace_queue::{Done, State, enqueue_all};
use tokio::sync::mpsc;

use crate::harness::{Bench, Db, Log, Step, next};

#[tokio::test]
async fn a_drain_longer_than_the_lease_keeps_it_and_lets_jobs_finish() {
    let db = Db::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, run| {
        started.send(()).expect("the test listens");
        async move {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(2500)) => Ok(Done::Completed),
                () = run.cancelled().cancelled_owned() => Err("stopped".into()),
            }
        }
    });
    let worker = db
        .worker_with(&bench, |o| o.lease = Duration::from_secs(1))
        .await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    worker.begin_drain();
    // Rescues all the while, as the other workers do.
    let rescuer = db
        .worker_with(
            &Bench::new(|_, _| async { panic!("nobody else runs it") }),
            |_| {},
        )
        .await;
    let drained = worker.finish().await;
    assert_eq!(
        (drained.running, drained.stopped, drained.clean),
        (1, 0, true)
    );
    let row = db.job(id).await;
    assert_eq!(
        (row.state, row.run_no, row.crash_count),
        (State::Completed, 1, 0)
    );
    rescuer.drain().await;
}

#[tokio::test]
async fn a_shutdown_costs_neither_attempt_nor_crash() {
    let db = Db::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        started.send(()).expect("the test listens");
        async move {
            if run.run_no > 1 || step.n == 3 {
                return Ok(Done::Completed);
            }
            if step.n == 1 {
                // Listens.
                run.cancelled().cancelled().await;
                return Err("interrupted".into());
            }
            // Does not.
            std::future::pending::<()>().await;
            Ok(Done::Completed)
        }
    });
    let worker = db
        .worker_with(&bench, |o| {
            o.drain_timeout = Duration::from_secs(1);
            o.queues = vec![("default".to_owned(), 2)];
        })
        .await;
    let ids = [
        db.put(Step::job(1)).await,
        db.put(Step::job(2)).await,
        db.put(Step::job(3)).await,
    ];
    next(&mut starts).await;
    next(&mut starts).await;
    let asked = Instant::now();
    let drained = worker.drain().await;
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(
        (drained.running, drained.stopped, drained.clean),
        (2, 2, true)
    );
    for id in ids {
        let row = db.job(id).await;
        assert_eq!(
            (row.state, row.attempt, row.crash_count),
            (State::Available, 0, 0)
        );
        assert_eq!(row.errors, serde_json::json!([]));
    }
    let workers: i64 = sqlx::query_scalar("select count(*) from queue.worker")
        .fetch_one(&db.pool)
        .await
        .expect("read");
    assert_eq!(workers, 0, "it has left");
    let worker = db.worker(&bench).await;
    for id in ids {
        assert_eq!(db.reaches(id, State::Completed).await.attempt, 1);
    }
    worker.drain().await;
}

#[tokio::test]
async fn workers_that_start_and_stop_all_the_time_lose_and_double_nothing() {
    const JOBS: i64 = 200;
    let db = Db::new().await;
    let log = Log::default();
    let done = log.clone();
    let bench = Bench::new(move |step, _| {
        done.push(step.n);
        async {
            tokio::task::yield_now().await;
            Ok(Done::Completed)
        }
    });
    let mut conn = db.conn().await;
    let placed = enqueue_all(&mut conn, (0..JOBS).map(Step::job).collect())
        .await
        .expect("enqueued")
        .ids;
    for round in 0..10 {
        let change =
            |o: &mut millrace_queue::EngineOptions| o.queues = vec![("default".to_owned(), 2)];
        let (one, other) = (
            db.worker_with(&bench, change).await,
            db.worker_with(&bench, change).await,
        );
        // At once, or in the middle of its work.
        if round % 2 == 0 {
            assert!(one.drain().await.clean);
            assert!(other.drain().await.clean);
        } else {
            one.begin_drain();
            let (one, other) = tokio::join!(one.finish(), other.drain());
            assert!(one.clean && other.clean && !one.broken && !other.broken);
        }
        let (running, workers): (i64, i64) = sqlx::query_as(
            "select (select count(*) from queue.job where state = 'running'), (select count(*) from queue.worker)",
        )
        .fetch_one(&db.pool)
        .await
        .expect("readable");
        assert_eq!((running, workers), (0, 0));
    }
    let last = db.worker(&bench).await;
    for job in placed {
        let row = db.reaches(job.id, State::Completed).await;
        assert_eq!((row.attempt, row.crash_count), (1, 0));
    }
    last.drain().await;
    let mut ran = log.all();
    ran.sort_unstable();
    assert_eq!(ran, (0..JOBS).collect::<Vec<_>>());
}
