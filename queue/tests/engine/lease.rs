//! Leases, and faults of the database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use millrace_queue::{CancelReason, Done, State, enqueue_all};
use tokio::{
    sync::{Notify, mpsc},
    time::timeout,
};
use uuid::Uuid;

use crate::harness::{Bench, Db, Log, PATIENCE, Step, next};

#[tokio::test]
async fn a_zombies_answer_changes_zero_rows() {
    let db = Db::new().await;
    let id = db.put(Step::job(1)).await;
    let zombie = db.claim_for_nobody(id, -1).await;
    let mut conn = db.conn().await;
    let rescued = millrace_queue::rescue(&mut conn).await.expect("rescued");
    assert_eq!(rescued.jobs, [(id.0, State::Available)]);
    drop(rescued.wake);
    let holder = db.claim_for_nobody(id, 60_000).await;
    for statement in [
        "select count(*) from queue.end_jobs(array[$1::uuid], array[$2::uuid], array['completed'::queue.state], array[null::text], array[null::text], array[null::jsonb], array[null::jsonb])",
        "select count(*) from queue.put_back(array[$1::uuid], array[$2::uuid], array['available'::queue.state], array[null::bigint], array[true], array[null::jsonb])",
    ] {
        let changed: i64 = sqlx::query_scalar(statement)
            .bind(id)
            .bind(zombie)
            .fetch_one(&mut *conn)
            .await
            .expect("answered");
        assert_eq!(changed, 0);
    }
    let (token, run_no): (Option<Uuid>, i32) =
        sqlx::query_as("select token, run_no from queue.job where id = $1")
            .bind(id)
            .fetch_one(&mut *conn)
            .await
            .expect("still there");
    assert_eq!((token, run_no), (Some(holder), 2));
}

#[tokio::test]
async fn a_lost_lease_stops_the_run_within_a_second() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, run| {
        let said = said.clone();
        async move {
            if run.run_no > 1 {
                return Ok(Done::Completed);
            }
            said.send(None).expect("the test listens");
            run.cancelled().cancelled().await;
            said.send(run.cancel_reason()).expect("the test listens");
            // A late answer, which must not count.
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    assert_eq!(next(&mut heard).await, None);
    // In one transaction, or a heartbeat may come in between.
    let mut tx = db.pool.begin().await.expect("begun");
    sqlx::query("update queue.job set lease_until = now() - interval '1 second' where id = $1")
        .bind(id)
        .execute(&mut *tx)
        .await
        .expect("expired");
    let rescued = millrace_queue::rescue(&mut tx).await.expect("rescued");
    assert_eq!(rescued.jobs, [(id.0, State::Available)]);
    drop(rescued.wake);
    tx.commit().await.expect("committed");
    let lost = Instant::now();
    assert_eq!(next(&mut heard).await, Some(CancelReason::LeaseLost));
    assert!(
        lost.elapsed() < Duration::from_secs(1),
        "{:?}",
        lost.elapsed()
    );
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(row.run_no, 2);
    worker.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_connections_lose_nothing_and_end_no_worker() {
    const JOBS: usize = 400;
    let db = Db::new().await;
    let log = Log::default();
    let bench = Bench::new({
        let log = log.clone();
        move |step, _| {
            log.push(step.n);
            async move {
                tokio::time::sleep(Duration::from_millis(15)).await;
                Ok(Done::Completed)
            }
        }
    });
    let mut conn = db.conn().await;
    let placed = enqueue_all(&mut conn, (0..JOBS as i64).map(Step::job).collect())
        .await
        .expect("enqueued")
        .ids;
    drop(conn);
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 4)])
        .await;
    // Kills every connection of the worker's loops, from a connection to another database, each time that it has ended
    // some jobs more: for that it has to claim and to answer, so both connections are there again.
    let admin = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(db.options.clone().database("postgres"));
    for round in 1..=10 {
        until_ended(&db, round * 30).await;
        let gone: Vec<String> = sqlx::query_scalar(
            "select application_name from pg_stat_activity, pg_terminate_backend(pid)
              where datname = $1 and application_name like 'millrace-%'",
        )
        .bind(db.options.get_database())
        .fetch_all(&admin)
        .await
        .expect("killed");
        for name in ["millrace-claim", "millrace-ack"] {
            assert!(gone.iter().any(|gone| gone == name), "{name} in {gone:?}");
        }
    }
    admin.close().await;
    for job in &placed {
        db.reaches(job.id, State::Completed).await;
    }
    assert!(worker.is_alive());
    let crashes: i64 = sqlx::query_scalar("select sum(crash_count)::bigint from queue.history")
        .fetch_one(&db.pool)
        .await
        .expect("read");
    let reruns = log.all().len() - JOBS;
    assert_eq!(
        reruns, 0,
        "claims with a lost answer were put back, not run twice"
    );
    assert_eq!(crashes, 0);
    assert!(worker.drain().await.clean);
    assert!(db.is_empty().await);
}

/// Waits until as many jobs are in the history.
async fn until_ended(db: &Db, count: i64) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let reached = async {
        loop {
            tick.tick().await;
            let ended: i64 = sqlx::query_scalar("select count(*) from queue.history")
                .fetch_one(&db.pool)
                .await
                .expect("read");
            if ended >= count {
                return;
            }
        }
    };
    timeout(PATIENCE, reached).await.expect("jobs end");
}

#[tokio::test]
async fn handlers_that_exhaust_the_pool_cost_no_lease() {
    let db = Db::new().await;
    let hold = Arc::new(Notify::new());
    let (started, mut starts) = mpsc::unbounded_channel();
    let bench = Bench::new({
        let (hold, pool) = (hold.clone(), db.pool.clone());
        move |_, _| {
            let (hold, pool, started) = (hold.clone(), pool.clone(), started.clone());
            async move {
                let held = futures::future::try_join_all((0..20).map(|_| pool.acquire())).await?;
                started.send(()).expect("the test listens");
                hold.notified().await;
                drop(held);
                Ok(Done::Completed)
            }
        }
    });
    let worker = db
        .worker_with(&bench, |o| o.lease = Duration::from_secs(1))
        .await;
    let id = db.put(Step::job(1)).await;
    next(&mut starts).await;
    // Longer than two leases, with no connection left in the pool.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    hold.notify_one();
    let row = db.reaches(id, State::Completed).await;
    assert_eq!((row.run_no, row.crash_count), (1, 0));
    worker.drain().await;
}

#[tokio::test]
async fn a_worker_cut_off_from_the_database_lets_go_before_its_lease_ends() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let runs = Arc::new(AtomicUsize::new(0));
    let bench = Bench::new({
        let runs = runs.clone();
        move |_, run| {
            let (said, runs) = (said.clone(), runs.clone());
            async move {
                runs.fetch_add(1, Ordering::SeqCst);
                said.send(None).expect("the test listens");
                run.cancelled().cancelled().await;
                said.send(run.cancel_reason()).expect("the test listens");
                Err("stopped".into())
            }
        }
    });
    let worker = db
        .worker_with(&bench, |o| {
            o.lease = Duration::from_millis(1500);
            o.drain_timeout = Duration::from_secs(1);
        })
        .await;
    let id = db.put(Step::job(1)).await;
    assert_eq!(next(&mut heard).await, None);
    // No new connections, and the old ones are killed: the database is there, but not for this worker.
    let admin = sqlx::postgres::PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(db.options.clone().database("postgres"));
    let name = db.options.get_database().expect("named").to_owned();
    for sql in [
        format!("alter database {name} allow_connections false"),
        format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"),
    ] {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&admin)
            .await
            .expect("cut off");
    }
    let cut = Instant::now();
    assert_eq!(next(&mut heard).await, Some(CancelReason::LeaseLost));
    assert!(
        cut.elapsed() < Duration::from_millis(1700),
        "{:?}",
        cut.elapsed()
    );
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "alter database {name} allow_connections true"
    )))
    .execute(&admin)
    .await
    .expect("back");
    admin.close().await;
    // It comes back by itself, rescues the job, and runs it again.
    assert_eq!(next(&mut heard).await, None);
    assert_eq!(db.job(id).await.crash_count, 1);
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    worker.drain().await;
}
