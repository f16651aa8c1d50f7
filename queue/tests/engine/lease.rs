//! Leases, rescue, drain, and faults of the database.

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

use crate::harness::{Bench, Db, Log, PATIENCE, Step, next, sql};

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
async fn the_job_of_a_dead_worker_is_run_again() {
    let db = Db::new().await;
    let (started, mut starts) = mpsc::unbounded_channel();
    let bench = Bench::new(move |_, run| {
        started.send(run.run_no).expect("the test listens");
        async move {
            if run.run_no == 1 {
                std::future::pending::<()>().await;
            }
            Ok(Done::Completed)
        }
    });
    let doomed = db
        .worker_with(&bench, |o| o.lease = Duration::from_secs(1))
        .await;
    let id = db.put(Step::job(1)).await;
    assert_eq!(next(&mut starts).await, 1);
    let worker = db.worker(&bench).await;
    let crashed = Instant::now();
    doomed.crash().await;
    assert_eq!(next(&mut starts).await, 2);
    assert!(
        crashed.elapsed() < Duration::from_secs(3),
        "lease and sweep"
    );
    let row = db.reaches(id, State::Completed).await;
    assert_eq!((row.crash_count, row.attempt), (1, 2), "a crash is charged");
    assert_eq!(row.errors[0]["code"], "crashed");
    worker.drain().await;
}

#[tokio::test]
async fn a_job_that_keeps_crashing_its_worker_is_quarantined() {
    let db = Db::new().await;
    let id = db.put(Step::job(1).max_attempts(20).max_crashes(3)).await;
    let mut conn = db.conn().await;
    for crash in 1..=3 {
        db.claim_for_nobody(id, -1).await;
        let rescued = millrace_queue::rescue(&mut conn).await.expect("rescued");
        let expected = if crash < 3 {
            State::Available
        } else {
            State::Quarantined
        };
        assert_eq!(rescued.jobs, [(id.0, expected)]);
        drop(rescued.wake);
    }
    let row = db.job(id).await;
    assert_eq!(
        (row.state, row.crash_count, row.run_no),
        (State::Quarantined, 3, 3)
    );
    assert_eq!(row.code.as_deref(), Some("crashed"));
    assert_eq!(row.errors.as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn a_crash_on_the_last_attempt_discards_and_one_after_a_cancel_request_cancels() {
    let db = Db::new().await;
    let last = db.put(Step::job(1).max_attempts(1)).await;
    let unwanted = db.put(Step::job(2)).await;
    db.claim_for_nobody(last, -1).await;
    db.claim_for_nobody(unwanted, -1).await;
    let mut conn = db.conn().await;
    let _ = millrace_queue::request_cancel(&mut conn, unwanted, "stop")
        .await
        .expect("asked");
    drop(
        millrace_queue::rescue(&mut conn)
            .await
            .expect("rescued")
            .wake,
    );
    assert_eq!(db.job(last).await.state, State::Discarded);
    let row = db.job(unwanted).await;
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::Cancelled, Some("stop"))
    );
    assert!(db.is_empty().await);
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

#[tokio::test]
async fn a_job_that_advances_survives_any_number_of_crashes() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let pool = db.pool.clone();
    let bench = Bench::new(move |step, run| {
        let (said, pool) = (said.clone(), pool.clone());
        async move {
            if step.n == 1 {
                let mut conn = pool.acquire().await?;
                run.advance(&mut conn).await?;
            }
            said.send(run.run_no).expect("the test listens");
            run.cancelled().cancelled().await;
            Ok(Done::Completed)
        }
    });
    for (n, ends) in [(1, State::Available), (2, State::Quarantined)] {
        let id = db.put(Step::job(n).max_crashes(3).max_attempts(100)).await;
        for run_no in 1..=3 {
            let worker = db
                .worker_with(&bench, |options| options.rescue = Duration::from_secs(3600))
                .await;
            assert_eq!(next(&mut heard).await, run_no);
            worker.crash().await;
            sqlx::query(
                "update queue.job set lease_until = now() - interval '1 second' where id = $1",
            )
            .bind(id)
            .execute(&db.pool)
            .await
            .expect("expired");
            let rescued = millrace_queue::rescue(&mut *db.conn().await)
                .await
                .expect("rescued");
            assert_eq!(rescued.jobs.len(), 1);
            drop(rescued.wake);
        }
        let row = db.job(id).await;
        assert_eq!(row.state, ends);
        if n == 1 {
            assert_eq!((row.crash_count, row.attempt), (1, 1));
            sql(&mut *db.conn().await, "delete from queue.job").await;
        }
    }
}
