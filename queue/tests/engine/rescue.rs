//! The jobs of workers that are gone.

use std::time::{Duration, Instant};

use millrace_queue::{Done, JobId, State, request_cancel, rescue};
use tokio::sync::mpsc;

use crate::harness::{Bench, Db, Step, next, sql};

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
        let rescued = rescue(&mut conn).await.expect("rescued");
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
    let _ = request_cancel(&mut conn, unwanted, "stop")
        .await
        .expect("asked");
    drop(rescue(&mut conn).await.expect("rescued").wake);
    assert_eq!(db.job(last).await.state, State::Discarded);
    let row = db.job(unwanted).await;
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::Cancelled, Some("stop"))
    );
    assert!(db.is_empty().await);
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
            // In one transaction, or what the dead worker said last may come in between.
            let mut tx = db.pool.begin().await.expect("begun");
            sqlx::query(
                "update queue.job set lease_until = now() - interval '1 second' where id = $1",
            )
            .bind(id)
            .execute(&mut *tx)
            .await
            .expect("expired");
            let rescued = rescue(&mut tx).await.expect("rescued");
            tx.commit().await.expect("committed");
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

#[tokio::test]
async fn a_rescue_takes_what_is_stuck_and_leaves_everything_else() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let mut stuck: Vec<(JobId, State)> = Vec::new();
    for (attempts, crashes, cancel, becomes) in [
        (5, 5, false, State::Available),
        (1, 5, false, State::Discarded),
        (5, 1, false, State::Quarantined),
        (5, 5, true, State::Cancelled),
    ] {
        let id = db
            .put(Step::job(1).max_attempts(attempts).max_crashes(crashes))
            .await;
        db.claim_for_nobody(id, -1).await;
        if cancel {
            drop(
                request_cancel(&mut conn, id, "stop")
                    .await
                    .expect("asked")
                    .wake,
            );
        }
        stuck.push((id, becomes));
    }
    let held = db.put(Step::job(2)).await;
    db.claim_for_nobody(held, 60_000).await;
    let others = [
        held,
        db.put(Step::job(3)).await,
        db.put(Step::job(4).delay(Duration::from_secs(60))).await,
        db.put(Step::job(5).after(&[held])).await,
    ];
    let mut before = Vec::new();
    for id in others {
        before.push(db.job(id).await);
    }
    let rescued = rescue(&mut conn).await.expect("rescued");
    drop(rescued.wake);
    let expected: Vec<_> = stuck.iter().map(|(id, state)| (id.0, *state)).collect();
    assert_eq!(rescued.jobs, expected);
    for (id, state) in stuck {
        assert_eq!(db.job(id).await.state, state);
    }
    for (id, row) in others.into_iter().zip(before) {
        assert_eq!(db.job(id).await, row);
    }
    let again = rescue(&mut conn).await.expect("looked");
    drop(again.wake);
    assert_eq!(again.jobs, []);
}
