//! Finding work: transactions, order, wake-ups, concurrency.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use chrono::Utc;
use millrace_queue::{Done, NewJob, State, enqueue, enqueue_all};
use sqlx::Connection as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::harness::{Bench, Db, Log, Step, next};

#[tokio::test]
async fn a_job_exists_if_and_only_if_its_transaction_commits() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    let worker = db.worker(&bench).await;
    let mut conn = db.conn().await;
    let mut tx = conn.begin().await.expect("begun");
    let lost = enqueue(&mut tx, Step::job(1)).await.expect("enqueued");
    lost.wake.fire(&worker.notifier);
    tx.rollback().await.expect("rolled back");
    let mut tx = conn.begin().await.expect("begun");
    let kept = enqueue(&mut tx, Step::job(2)).await.expect("enqueued");
    tx.commit().await.expect("committed");
    kept.wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 2);
    db.reaches(kept.id, State::Completed).await;
    assert!(heard.try_recv().is_err());
    worker.drain().await;
}

#[tokio::test]
async fn jobs_run_by_priority_then_time() {
    let db = Db::new().await;
    let log = Log::default();
    let bench = Bench::new({
        let log = log.clone();
        move |step, _| {
            log.push(step.n);
            async { Ok(Done::Completed) }
        }
    });
    let past = |seconds| Utc::now() - chrono::TimeDelta::seconds(seconds);
    let jobs = vec![
        Step::job(5).priority(1),
        Step::job(3),
        Step::job(2).run_at(past(10)),
        Step::job(1).run_at(past(20)),
        Step::job(0).priority(-1),
        Step::job(4),
    ];
    let mut conn = db.conn().await;
    let placed = enqueue_all(&mut conn, jobs).await.expect("enqueued").ids;
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 1)])
        .await;
    for job in placed {
        db.reaches(job.id, State::Completed).await;
    }
    assert_eq!(log.all(), [0, 1, 2, 3, 4, 5]);
    worker.drain().await;
}

#[tokio::test]
async fn a_scheduled_job_runs_at_its_time_and_not_before() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, _| {
        said.send(Instant::now()).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    // A long poll proves that the claimer knows when the next job is due.
    let worker = db
        .worker_with(&bench, |o| o.poll = Duration::from_secs(10))
        .await;
    let warm = db.conn().await;
    drop(warm);
    let started = Instant::now();
    let mut conn = db.conn().await;
    let job = enqueue(&mut conn, Step::job(1).delay(Duration::from_millis(600)))
        .await
        .expect("enqueued");
    job.wake.fire(&worker.notifier);
    let ran = next(&mut heard).await - started;
    assert!(ran >= Duration::from_millis(600), "{ran:?}");
    assert!(ran < Duration::from_millis(2000), "{ran:?}");
    worker.drain().await;
}

/// Claims of few jobs are paced. What is said about the clock meanwhile is kept, or it would be found by the poll alone.
#[tokio::test]
async fn a_time_that_is_said_right_after_a_claim_is_not_missed() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let enough = CancellationToken::new();
    let bench = Bench::new({
        let enough = enough.clone();
        move |step, _| {
            let (said, enough) = (said.clone(), enough.clone());
            async move {
                said.send(step.n).expect("the test listens");
                if step.n < 0 {
                    enough.cancelled().await;
                }
                Ok(Done::Completed)
            }
        }
    });
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = vec![("default".to_owned(), 4)];
            o.poll = Duration::from_secs(600);
        })
        .await;
    let mut conn = db.conn().await;
    let put = async |conn: &mut sqlx::PgConnection, job| {
        let placed = enqueue(conn, job).await.expect("enqueued");
        placed.wake.fire(&worker.notifier);
    };
    // One place is left: no room for many.
    for n in -3..0 {
        put(&mut conn, Step::job(n)).await;
        assert_eq!(next(&mut heard).await, n);
    }
    for n in 0..40 {
        put(&mut conn, Step::job(2 * n)).await;
        assert_eq!(next(&mut heard).await, 2 * n);
        put(
            &mut conn,
            Step::job(2 * n + 1).delay(Duration::from_millis(8)),
        )
        .await;
        assert_eq!(next(&mut heard).await, 2 * n + 1);
    }
    enough.cancel();
    worker.drain().await;
}

#[tokio::test]
async fn a_wake_starts_a_job_well_before_the_poll() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, _| {
        said.send(Instant::now()).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    let worker = db
        .worker_with(&bench, |o| o.poll = Duration::from_secs(15))
        .await;
    let mut conn = db.conn().await;
    let mut quick = 0;
    for n in 0..20 {
        let started = Instant::now();
        enqueue(&mut conn, Step::job(n))
            .await
            .expect("enqueued")
            .wake
            .fire(&worker.notifier);
        if next(&mut heard).await - started < Duration::from_millis(500) {
            quick += 1;
        }
    }
    // The first may come before the worker listens.
    assert!(quick >= 19, "{quick} of 20 were quick");
    worker.drain().await;
}

#[tokio::test]
async fn everything_works_without_a_single_notification() {
    let db = Db::new().await;
    let bench = Bench::new(|step, run| async move {
        if step.n == 0 && run.attempt == 1 {
            return Err("once".into());
        }
        Ok(Done::Completed)
    });
    let worker = db
        .worker_with(&bench, |o| {
            o.deaf = true;
            o.notifier = millrace_bus::Notifier::silent();
        })
        .await;
    let mut conn = db.conn().await;
    let (a, b) = (Step::job(0), Step::job(1));
    let b = b.after(&[a.id()]);
    let last = b.id();
    drop(enqueue_all(&mut conn, vec![a, b]).await.expect("enqueued"));
    let started = Instant::now();
    db.reaches(last, State::Completed).await;
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "bounded by the poll"
    );
    worker.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_jobs_run_exactly_once_with_concurrent_workers() {
    const JOBS: i64 = 3_000;
    let db = Db::new().await;
    let log = Log::default();
    let bench = Bench::new({
        let log = log.clone();
        move |step, _| {
            log.push(step.n);
            async { Ok(Done::Completed) }
        }
    });
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(
            db.worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 50)])
                .await,
        );
    }
    let mut conn = db.conn().await;
    let mut placed = Vec::new();
    for chunk in (0..JOBS).collect::<Vec<_>>().chunks(500) {
        let jobs: Vec<NewJob> = chunk.iter().map(|&n| Step::job(n)).collect();
        let done = enqueue_all(&mut conn, jobs).await.expect("enqueued");
        placed.extend(done.ids);
        done.wake.fire(&workers[0].notifier);
    }
    for job in &placed {
        db.reaches(job.id, State::Completed).await;
    }
    let ran = log.all();
    assert_eq!(ran.len(), JOBS as usize);
    assert_eq!(ran.iter().collect::<HashSet<_>>().len(), JOBS as usize);
    for worker in workers {
        assert!(worker.drain().await.clean);
    }
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn no_more_jobs_run_at_once_than_a_queue_has_slots() {
    let db = Db::new().await;
    let gauge = std::sync::Arc::new(std::sync::Mutex::new((0_i32, 0_i32)));
    let bench = Bench::new({
        let gauge = gauge.clone();
        move |_, _| {
            let gauge = gauge.clone();
            async move {
                {
                    let mut g = gauge.lock().expect("not poisoned");
                    g.0 += 1;
                    g.1 = g.1.max(g.0);
                }
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                gauge.lock().expect("not poisoned").0 -= 1;
                Ok(Done::Completed)
            }
        }
    });
    let mut conn = db.conn().await;
    let placed = enqueue_all(&mut conn, (0..100).map(Step::job).collect())
        .await
        .expect("enqueued")
        .ids;
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 3)])
        .await;
    for job in placed {
        db.reaches(job.id, State::Completed).await;
    }
    assert_eq!(gauge.lock().expect("not poisoned").1, 3);
    worker.drain().await;
}

#[tokio::test]
async fn a_paused_queue_starts_nothing_until_it_is_resumed() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    let mut conn = db.conn().await;
    crate::harness::sql(
        &mut conn,
        "insert into queue.queue (name, paused_at) values ('default', now())",
    )
    .await;
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = vec![("default".to_owned(), 2), ("other".to_owned(), 2)];
        })
        .await;
    let paused = db.put(Step::job(1)).await;
    let free = db.put(Step::job(2).queue("other")).await;
    db.reaches(free, State::Completed).await;
    assert_eq!(db.job(paused).await.state, State::Available);
    crate::harness::sql(&mut conn, "update queue.queue set paused_at = null").await;
    db.reaches(paused, State::Completed).await;
    assert_eq!((next(&mut heard).await, next(&mut heard).await), (2, 1));
    worker.drain().await;
}

#[tokio::test]
async fn a_held_queue_rests_in_this_worker_and_goes_on_where_it_was() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    let both = vec![("default".to_owned(), 2), ("heavy".to_owned(), 2)];
    let queues = both.clone();
    let (worker, holds) = db
        .worker_and_holds(&bench, |options| options.queues = queues)
        .await;
    let mut conn = db.conn().await;
    let enqueued = enqueue_all(&mut conn, vec![Step::job(1).queue("heavy"), Step::job(2)]).await;
    enqueued.expect("enqueued").wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 2);
    // Several polls later as well.
    let enqueued = enqueue(&mut conn, Step::job(3).delay(Duration::from_millis(700))).await;
    enqueued.expect("enqueued").wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 3);
    assert!(heard.try_recv().is_err(), "a held queue was served");
    holds.release("heavy");
    assert_eq!(next(&mut heard).await, 1);
    // And held again, for one worker alone.
    holds.hold("heavy");
    let other = db
        .worker_with(&bench, |options| options.queues = both)
        .await;
    let enqueued = enqueue(&mut conn, Step::job(4).queue("heavy"))
        .await
        .expect("enqueued");
    enqueued.wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 4);
    other.drain().await;
    worker.drain().await;
}
