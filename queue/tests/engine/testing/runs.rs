//! Jobs that run in the test's own task.

use millrace_queue::{
    Backoff, Done, Failure, Limit, LogLine, NewJob, Progress, Registry, State, UniqueKey, Wake,
    discard, enqueue, enqueue_all, pause_kind, request_cancel,
    testing::{Drain, DrainError, Expect, NotRun, Runner, assert_enqueued, time_passes},
};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use super::{HOUR, calm, fates};
use crate::harness::{Bench, Db, Log, Mourn, Step};

#[tokio::test]
async fn a_run_ends_as_it_would_in_a_worker() {
    let db = Db::new().await;
    let runner = fates(&db).runner(&db).await;
    let table = [
        (1, State::Completed, 1, None, None),
        (2, State::Retryable, 1, Some("the first try"), None),
        (3, State::Discarded, 1, Some("never"), Some("no_use")),
        (4, State::Cancelled, 1, Some("unwanted"), None),
        (5, State::Scheduled, 0, None, None),
        (
            6,
            State::Retryable,
            1,
            Some("panicked: boom"),
            Some("panic"),
        ),
        (7, State::Completed, 1, None, None),
        (
            8,
            State::Discarded,
            1,
            Some("the result of the job could not be stored"),
            Some("unstorable"),
        ),
        (10, State::Quarantined, 1, Some("it bites"), None),
    ];
    for (n, state, attempt, error, code) in table {
        let id = db.put(Step::job(n)).await;
        let ran = runner.run(id).await.expect("ran");
        assert_eq!(
            (ran.id, ran.state, ran.attempt, ran.run_no),
            (id, state, 1, 1),
            "{n}"
        );
        assert_eq!(
            (ran.error.as_deref(), ran.code.as_deref()),
            (error, code),
            "{n}"
        );
        let row = db.job(id).await;
        assert_eq!((&ran.job, row.attempt), (&row, attempt), "{n}");
        if n == 1 {
            assert_eq!(ran.result, Some(json!({"answer": 42})));
            let lines = LogLine::of_job(&db.pool, id, (0, 0), 9)
                .await
                .expect("readable");
            assert_eq!(lines[0].line, "begun");
            let progress = Progress::of_job(&db.pool, id).await.expect("readable");
            assert_eq!(progress.expect("reported").stage, "half way");
        }
    }
    let mut conn = db.conn().await;
    assert_enqueued(&mut conn, Expect::like(&Step { n: 1 }).times(1)).await;
}

#[tokio::test]
async fn what_follows_an_end_follows_here() {
    let db = Db::new().await;
    let mut bench = fates(&db);
    let runner = bench.runner(&db).await;
    let mut conn = db.conn().await;
    let doomed = Step::job(3).on_failure(Mourn::job("it"));
    let doomed = doomed.unique(UniqueKey::until_done("one"));
    let (fine, orphan) = (Step::job(1), Step::job(1));
    let child = Step::job(1).after(&[fine.id()]);
    let orphan = orphan.after(&[doomed.id()]);
    let (orphaned, freed) = (orphan.id(), child.id());
    drop(
        enqueue_all(&mut conn, vec![doomed, fine, child, orphan])
            .await
            .expect("enqueued"),
    );
    let ran = runner.run_next().await.expect("ran").expect("a job");
    assert_eq!(ran.state, State::Discarded);
    assert_eq!(db.job(orphaned).await.state, State::Cancelled);
    assert!(
        enqueue(&mut conn, Step::job(1).unique(UniqueKey::until_done("one")))
            .await
            .expect("enqueued")
            .new
    );
    assert_eq!(db.job(freed).await.state, State::Waiting);
    let drained = runner.drain().await.expect("drained");
    assert_eq!((drained.completed, drained.runs()), (4, 4));
    assert_eq!(bench.next_mourner().await.whom, "it");
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_given_job_is_run_before_others_and_refused_with_a_reason() {
    let db = Db::new().await;
    let log = Log::default();
    let mut bench = calm(&log);
    bench.limits = vec![Limit::new("mail").rate(1, HOUR)];
    let runner = bench.runner(&db).await;
    let mut conn = db.conn().await;
    for n in 0..5 {
        db.put(Step::job(n).priority(-9)).await;
        db.put(Step::job(n).limit_key(format!("k{n}"))).await;
    }
    let last = db.put(Step::job(100).priority(5)).await;
    let keyed = db.put(Step::job(101).limit_key("k3").priority(6)).await;
    for (id, priority) in [(last, 5), (keyed, 6)] {
        let before = db.job(id).await;
        let ran = runner.run(id).await.expect("ran");
        assert_eq!((ran.id, ran.state), (id, State::Completed));
        assert_eq!(
            (ran.job.priority, ran.job.run_at),
            (priority, before.run_at)
        );
    }
    assert_eq!(log.all(), [100, 101]);

    let later = db.put(Step::job(1).delay(HOUR)).await;
    let first = db.put(Step::job(1).limit_key("mail:x")).await;
    let second = db.put(Step::job(1).limit_key("mail:x")).await;
    runner.run(first).await.expect("ran");
    let busy = db.put(Step::job(1).limit_key("busy")).await;
    db.claim_for_nobody(db.put(Step::job(1).limit_key("busy")).await, 60_000)
        .await;
    let foreign = db.put(Step::job(1)).await;
    sqlx::query("update queue.job set kind = 'foreign' where id = $1")
        .bind(foreign)
        .execute(&db.pool)
        .await
        .expect("renamed");
    for (id, said) in [
        (later, "It is not due before"),
        (second, "as many as it allows; the next may at"),
        (busy, "1 jobs with the key busy run, as many as it allows."),
        (foreign, "The kind foreign is not registered here."),
        (first, "It ended completed"),
    ] {
        let why = runner.run(id).await.expect_err(said);
        assert!(
            matches!(why, NotRun::Refused { .. }) && why.to_string().contains(said),
            "{why}"
        );
    }
    drop(
        pause_kind(&mut conn, "step", "ann", Some("a note"))
            .await
            .expect("paused")
            .wake,
    );
    let why = runner.run(later).await.expect_err("paused").to_string();
    assert!(
        why.contains("The kind step is paused since") && why.contains("by ann: a note"),
        "{why}"
    );
    let nobody = NewJob::new(&Step { n: 0 }).id();
    assert!(matches!(runner.run(nobody).await, Err(NotRun::Unknown(id)) if id == nobody));
    assert!(
        runner.run_next().await.expect("looked").is_none(),
        "all of it is paused"
    );
}

#[tokio::test]
async fn limits_rates_and_turns_are_kept_and_time_opens_them() {
    let db = Db::new().await;
    let log = Log::default();
    let mut bench = calm(&log);
    bench.limits = vec![Limit::new("mail").rate(2, HOUR)];
    let runner = bench.runner(&db).await;
    let mut conn = db.conn().await;
    for n in 0..5 {
        db.put(Step::job(n).limit_key("mail:a")).await;
    }
    assert_eq!(runner.drain().await.expect("drained").completed, 2);
    time_passes(&mut conn, HOUR / 2).await.expect("passed");
    assert_eq!(runner.drain().await.expect("drained").runs(), 0);
    time_passes(&mut conn, HOUR / 2).await.expect("passed");
    assert_eq!(runner.drain().await.expect("drained").completed, 2);
    let drained = runner.drain_with(Drain::new().with_scheduled()).await;
    assert_eq!(drained.expect("drained").completed, 1);
    // In the order of their times, and two gates in turns: `right` follows `mail`, which was the last.
    for n in 10..13 {
        db.put(Step::job(n).limit_key("left")).await;
        db.put(Step::job(n + 10).limit_key("right")).await;
    }
    runner.drain().await.expect("drained");
    assert_eq!(log.all(), [0, 1, 2, 3, 4, 20, 10, 21, 11, 22, 12]);
}

#[tokio::test]
async fn a_drain_goes_as_far_as_it_is_told() {
    let db = Db::new().await;
    let pool = db.pool.clone();
    let bench = Bench::new(move |step, run| {
        let pool = pool.clone();
        async move {
            match step.n {
                0 => Ok(Done::Completed),
                1 if run.attempt < 3 => Err("not yet".into()),
                1 if run.run_no == 3 => Ok(Done::Snooze(HOUR)),
                1 => Ok(Done::Completed),
                _ => {
                    let mut conn = pool.acquire().await?;
                    drop(enqueue(&mut conn, Step::job(step.n)).await?.wake);
                    Ok(Done::Completed)
                }
            }
        }
    });
    let runner = bench.runner(&db).await;
    let slow = Backoff::new(HOUR, 2.0, HOUR * 100);
    let hard = db.put(Step::job(1).backoff(slow)).await;
    db.put(Step::job(0)).await;
    db.put(Step::job(0).delay(HOUR * 24)).await;
    let drained = runner.drain().await.expect("drained");
    assert_eq!(
        (drained.completed, drained.retryable, drained.runs()),
        (1, 1, 2)
    );
    let drained = runner
        .drain_with(Drain::new().with_scheduled())
        .await
        .expect("drained");
    assert_eq!(
        (drained.completed, drained.retryable, drained.scheduled),
        (2, 1, 1)
    );
    assert_eq!(db.job(hard).await.run_no, 4);
    assert!(db.is_empty().await);

    db.put(Step::job(2)).await;
    let endless = runner.drain_with(Drain::new().at_most(20)).await;
    let endless = endless.expect_err("it never ends");
    assert!(matches!(endless, DrainError::Endless { runs: 21, .. }));
    assert!(endless.to_string().contains("step (21)"), "{endless}");
}

#[tokio::test]
async fn a_run_hears_of_its_cancellation_and_of_its_lost_lease() {
    let db = Db::new().await;
    let runner = fates(&db).runner(&db).await;
    let mut conn = db.conn().await;
    for force in [false, true] {
        let id = db.put(Step::job(9)).await;
        let (ran, ()) = tokio::join!(runner.run(id), async {
            db.reaches(id, State::Running).await;
            if force {
                drop(discard(&mut conn, id, "enough").await.expect("ended").wake);
            } else {
                drop(
                    request_cancel(&mut conn, id, "enough")
                        .await
                        .expect("asked")
                        .wake,
                );
            }
        });
        let ran = ran.expect("ran");
        let state = if force {
            State::Discarded
        } else {
            State::Cancelled
        };
        assert_eq!((ran.state, ran.error.as_deref()), (state, Some("enough")));
    }
}

#[tokio::test]
async fn one_connection_is_enough() {
    let db = Db::new().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(db.options.clone());
    let registry = Registry::new().register::<Step>({
        let pool = pool.clone();
        move |step, run, ()| {
            let pool = pool.clone();
            Box::pin(async move {
                if step.n == 0 {
                    return Ok(Done::Completed);
                }
                run.complete(&pool, async |tx| {
                    let next = enqueue(&mut *tx, Step::job(step.n - 1)).await?;
                    Ok::<Wake, Failure>(next.wake)
                })
                .await
            })
        }
    });
    let runner = Runner::new(pool, registry, ()).await.expect("registered");
    let given = db.put(Step::job(1)).await;
    runner.run(given).await.expect("ran");
    assert_eq!(
        runner
            .drain_with(Drain::new().with_scheduled())
            .await
            .expect("drained")
            .completed,
        1
    );
}
