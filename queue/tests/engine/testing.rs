//! The helpers that applications test with. Each of them has to fail when it should.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use millrace_queue::{
    Backoff, CatchUp, Done, Failure, Limit, LogLine, NewJob, Progress, Registry, Schedule,
    ScheduleError, State, UniqueKey, Wake, enqueue, enqueue_all, pause_kind, request_cancel,
    testing::{
        Drain, DrainError, Expect, Fired, NotRun, Runner, assert_enqueued, enqueued,
        fire_schedules, refute_enqueued, time_passes,
    },
};
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, postgres::PgPoolOptions};
use uuid::Uuid;

use crate::harness::{Bench, Db, Log, Mourn, Step, sql};

const HOUR: Duration = Duration::from_secs(3600);

/// A bench whose steps complete and are written down.
fn calm(log: &Log) -> Bench {
    let log = log.clone();
    Bench::new(move |step, _| {
        log.push(step.n);
        async { Ok(Done::Completed) }
    })
}

/// What an assertion says when it fails.
async fn failure(
    db: &Db,
    assertion: impl for<'c> FnOnce(&'c mut PgConnection) -> BoxFuture<'c, ()> + Send + 'static,
) -> String {
    let mut conn = db.conn().await;
    let asserted = tokio::spawn(async move { assertion(&mut conn).await }).await;
    let panic = asserted.expect_err("it holds").into_panic();
    let said = panic.downcast_ref::<String>().cloned();
    said.expect("a sentence")
}

#[tokio::test]
async fn jobs_are_found_by_every_part_and_not_by_a_wrong_one() {
    let db = Db::new().await;
    let (owner, group) = (Uuid::now_v7(), Uuid::now_v7());
    let job = Step::job(7).queue("mail").tag("a").tag("b").owner(owner);
    let id = db.put(job.group(group).delay(HOUR)).await;
    let mut conn = db.conn().await;
    let run_at = db.job(id).await.run_at;
    let around = |time: DateTime<Utc>| time - TimeDelta::seconds(1)..=time + TimeDelta::seconds(1);
    let minutes =
        |from: u64, to: u64| Duration::from_secs(from * 60)..=Duration::from_secs(to * 60);
    let step = Expect::job::<Step>;
    let right = [
        Expect::any(),
        step(),
        Expect::kind("step"),
        Expect::like(&Step { n: 7 }),
        step().args(json!({"n": 7})).queue("mail").tag("b").tag("a"),
        step().owner(owner).group(group).state(State::Scheduled),
        step()
            .run_at(around(run_at))
            .due_in(minutes(50, 60))
            .times(1),
    ];
    for expect in right {
        assert_eq!(assert_enqueued(&mut conn, expect.clone()).await.id, id);
        let all = enqueued(&mut conn, &expect).await.expect("readable");
        assert_eq!(all.len(), 1);
    }
    let wrong = [
        Expect::kind("other"),
        Expect::job::<Mourn>(),
        Expect::like(&Step { n: 8 }),
        step().args(json!({"m": 7})),
        step().queue("default"),
        step().tag("a").tag("c"),
        step().owner(group),
        step().group(owner),
        step().state(State::Available).state(State::Completed),
        step().run_at(around(run_at + TimeDelta::minutes(1))),
        step().due_in(minutes(0, 30)),
    ];
    for expect in wrong {
        refute_enqueued(&mut conn, expect).await;
    }
    // An ended job is no more to run, and is found by its state.
    let runner = calm(&Log::default()).runner(&db).await;
    time_passes(&mut conn, HOUR).await.expect("passed");
    runner.run(id).await.expect("ran");
    refute_enqueued(&mut conn, Expect::any()).await;
    assert_enqueued(&mut conn, step().state(State::Completed).times(1)).await;
}

#[tokio::test]
async fn a_failed_assertion_says_where_it_is_and_what_is_there_instead() {
    let db = Db::new().await;
    let nothing = failure(&db, |conn| {
        Box::pin(async move {
            assert_enqueued(conn, Expect::job::<Step>()).await;
        })
    })
    .await;
    assert!(nothing.contains("testing.rs:"), "{nothing}");
    assert!(
        nothing.ends_with("there is no step job. No other job is there."),
        "{nothing}"
    );

    db.put(Mourn::job("Ann").tag("x")).await;
    let near = db.put(Step::job(1)).await;
    let missing = failure(&db, |conn| {
        Box::pin(async move {
            let expect = Expect::job::<Step>().args(json!({"n": 2}));
            assert_enqueued(conn, expect).await;
        })
    })
    .await;
    for part in [
        "there is no step job with {\"n\":2}. 2 others are there, the likeliest first:",
        "args.n is 1, not 2",
        "its kind is mourn; args.n is not there",
    ] {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let (first, second) = (missing.find("step 0"), missing.find("mourn 0"));
    assert!(first < second, "{missing}");

    let there = failure(&db, |conn| {
        Box::pin(refute_enqueued(conn, Expect::like(&Step { n: 1 })))
    })
    .await;
    assert!(
        there.contains(&format!("step {near}, available in default")),
        "{there}"
    );
    let twice = failure(&db, |conn| {
        Box::pin(async move {
            assert_enqueued(conn, Expect::job::<Step>().times(2)).await;
        })
    })
    .await;
    assert!(twice.contains("not 2 times a step job"), "{twice}");
}

/// Steps of every fate, by their number.
fn fates(db: &Db) -> Bench {
    let pool = db.pool.clone();
    Bench::new(move |step, run| {
        let pool = pool.clone();
        async move {
            run.log("begun");
            run.progress(40.0, "half way");
            match step.n {
                1 => Ok(Done::CompletedWith(json!({"answer": 42}))),
                2 => Err("the first try".into()),
                3 => Err(Failure::fail("never").with_code("no_use")),
                4 => Err(Failure::cancel("unwanted")),
                5 => Ok(Done::Snooze(HOUR)),
                6 => panic!("boom"),
                7 => {
                    run.complete(&pool, async |tx| {
                        let next = enqueue(&mut *tx, Step::job(1)).await?;
                        Ok::<Wake, Failure>(next.wake)
                    })
                    .await
                }
                8 => Ok(Done::CompletedWith(json!({"bad": "\0"}))),
                9 => {
                    run.cancelled().cancelled().await;
                    Err("stopped".into())
                }
                _ => Err(Failure::quarantine("it bites")),
            }
        }
    })
}

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
async fn every_stored_time_moves() {
    let db = Db::new().await;
    let mut bench = fates(&db);
    bench.limits = vec![Limit::new("mail").rate(2, HOUR)];
    bench.schedules = vec![Schedule::new("hourly", "0 * * * *", &Step { n: 1 })];
    let runner = bench.runner(&db).await;
    let mut conn = db.conn().await;
    for n in [1, 2, 5] {
        let key = UniqueKey::for_period(format!("k{n}"), HOUR);
        db.put(Step::job(n).limit_key("mail:a").unique(key)).await;
    }
    runner.drain().await.expect("drained");
    let asked = db.put(Step::job(1)).await;
    db.claim_for_nobody(asked, 60_000).await;
    drop(
        request_cancel(&mut conn, asked, "test")
            .await
            .expect("asked")
            .wake,
    );
    pause_kind(&mut conn, "mourn", "ann", None)
        .await
        .map(|paused| paused.done)
        .expect("paused");
    millrace_queue::pause_queue(&mut conn, "none", "ann", None)
        .await
        .expect("paused");
    for text in [
        "insert into queue.worker (id, name, version, queues, kinds, slots) select gen_random_uuid(), 'w', '1', '{}', '{}', 1",
        "insert into queue.schedule_tick select 'hourly', date_trunc('hour', now()) - h * interval '1 hour', gen_random_uuid() from generate_series(0, 5) h",
        "update queue.job set cancel_delivered_at = now(), started_at = now() where state = 'running'",
        "update queue.history set cancel_requested_at = now(), cancel_delivered_at = now()",
        "select queue.sample_depth()",
        "update queue.schedule set next_at = now()",
    ] {
        sql(&mut conn, text).await;
    }
    time_passes(&mut conn, Duration::ZERO)
        .await
        .expect("passed");
    let before = times(&mut conn).await;
    let days: Vec<chrono::NaiveDate> = drop_days(&mut conn).await;
    let passed = HOUR * 50;
    time_passes(&mut conn, passed).await.expect("passed");
    let moved = TimeDelta::from_std(passed).expect("short");
    for (column, sum) in times(&mut conn).await {
        let was = before[&column];
        assert_eq!(sum + moved, was, "{column}");
    }
    // Two whole days; the rest of a third is not counted.
    let expected: Vec<_> = days.iter().map(|day| *day - TimeDelta::days(2)).collect();
    assert_eq!(drop_days(&mut conn).await, expected);
    assert!(
        before.len() >= 20 && !days.is_empty(),
        "{:?}",
        before.keys()
    );
}

async fn drop_days(conn: &mut PgConnection) -> Vec<chrono::NaiveDate> {
    sqlx::query_scalar("select drop_on from queue.history order by id")
        .fetch_all(conn)
        .await
        .expect("readable")
}

/// Of every time that the schema stores, the latest. All tables that a test can fill have to be.
async fn times(conn: &mut PgConnection) -> BTreeMap<String, DateTime<Utc>> {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select c.relname::text, a.attname::text from pg_class c join pg_attribute a on a.attrelid = c.oid
          where c.relnamespace = 'queue'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped and a.atttypid = 'timestamptz'::regtype",
    )
    .fetch_all(&mut *conn)
    .await
    .expect("readable");
    let mut times = BTreeMap::new();
    for (table, column) in columns {
        let latest: Option<DateTime<Utc>> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select max({column}) from queue.{table}"
        )))
        .fetch_one(&mut *conn)
        .await
        .expect("readable");
        let latest = latest.unwrap_or_else(|| panic!("the test fills no {table}.{column}"));
        times.insert(format!("{table}.{column}"), latest);
    }
    times
}

#[tokio::test]
async fn what_time_decides_is_decided_when_it_passes() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let runner = fates(&db).runner(&db).await;
    // A dead worker's job, a key for a period, a bound of a debounced job, and a day of the history.
    let dead = db.put(Step::job(1)).await;
    db.claim_for_nobody(dead, 60_000).await;
    assert!(runner.run_next().await.expect("looked").is_none());
    time_passes(&mut conn, Duration::from_secs(61))
        .await
        .expect("passed");
    let ran = runner.run_next().await.expect("ran").expect("rescued");
    assert_eq!((ran.id, ran.run_no, ran.job.crash_count), (dead, 2, 1));

    let daily = || Step::job(1).unique(UniqueKey::for_period("daily", HOUR * 24));
    for new in [true, false] {
        assert_eq!(
            enqueue(&mut conn, daily()).await.expect("enqueued").new,
            new
        );
        runner.drain().await.expect("drained");
    }
    time_passes(&mut conn, HOUR * 24).await.expect("passed");
    assert!(enqueue(&mut conn, daily()).await.expect("enqueued").new);
    runner.drain().await.expect("drained");

    let burst = || {
        let key = UniqueKey::until_done("burst").debouncing(HOUR);
        Step::job(1).delay(HOUR / 2).unique(key)
    };
    let first = enqueue(&mut conn, burst()).await.expect("enqueued").id;
    for _ in 0..2 {
        time_passes(&mut conn, HOUR / 3).await.expect("passed");
        assert!(
            enqueue(&mut conn, burst())
                .await
                .expect("enqueued")
                .replaced
        );
    }
    assert!(runner.run_next().await.expect("looked").is_none());
    time_passes(&mut conn, HOUR / 3).await.expect("passed");
    assert_eq!(
        runner.run_next().await.expect("ran").expect("due").id,
        first
    );

    for (days, kept) in [(14, true), (1, false)] {
        time_passes(&mut conn, HOUR * 24 * days)
            .await
            .expect("passed");
        millrace_queue::maintain(&mut conn)
            .await
            .expect("maintained");
        let row = millrace_queue::find(&mut conn, first)
            .await
            .expect("readable");
        assert_eq!(row.is_some(), kept, "{days}");
    }
}

fn scheduled(catch_up: CatchUp, cron: &'static str) -> Bench {
    let mut bench = calm(&Log::default());
    let schedule = Schedule::new("rounds", cron, &Step { n: 1 });
    bench.schedules = vec![schedule.zone("Asia/Taipei").catch_up(catch_up)];
    bench
}

#[tokio::test]
async fn schedules_come_round_as_often_as_the_time_that_passed_has_ticks() {
    let db = Db::new().await;
    let runner = scheduled(CatchUp::All, "30 3 * * *").runner(&db).await;
    let mut conn = db.conn().await;
    // However the days are cut: it is half past three once a day.
    let mut jobs = 0;
    for _ in 0..40 {
        time_passes(&mut conn, HOUR * 6).await.expect("passed");
        let fired = fire_schedules(&mut conn).await.expect("fired");
        jobs += fired.iter().map(|fired| fired.jobs).sum::<usize>();
        assert!(fired.iter().all(|fired| fired.name == "rounds"));
    }
    assert_eq!(jobs, 10);
    // All at once, and no tick twice.
    time_passes(&mut conn, HOUR * 24 * 600)
        .await
        .expect("passed");
    let once = fire_schedules(&mut conn).await.expect("fired");
    assert_eq!(
        once,
        [Fired {
            name: "rounds".to_owned(),
            jobs: 600
        }]
    );
    assert_eq!(fire_schedules(&mut conn).await.expect("fired"), []);
    let drained = runner.drain().await.expect("drained");
    assert_eq!(drained.completed, 610);
}

#[tokio::test]
async fn a_missed_tick_follows_its_policy_and_a_kind_without_worker_is_said() {
    let db = Db::new().await;
    let runner = scheduled(CatchUp::Last, "0 * * * *").runner(&db).await;
    let mut conn = db.conn().await;
    for jobs in [1, 0] {
        time_passes(&mut conn, HOUR * 5).await.expect("passed");
        let fired = fire_schedules(&mut conn).await.expect("fired");
        assert_eq!(fired[0].jobs, jobs, "its last job is still to run");
    }
    assert_eq!(runner.drain().await.expect("drained").completed, 1);
    sql(&mut conn, "update queue.schedule set kind = 'nobody'").await;
    time_passes(&mut conn, HOUR * 5).await.expect("passed");
    let unknown = fire_schedules(&mut conn).await.expect_err("unknown");
    assert!(matches!(unknown, ScheduleError::UnknownKind(kind) if kind == "nobody"));
    sql(
        &mut conn,
        "update queue.schedule set kind = 'step', cron = 'often'",
    )
    .await;
    let unreadable = fire_schedules(&mut conn).await.expect_err("unreadable");
    assert!(matches!(unreadable, ScheduleError::Timetable(_)));
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
                drop(
                    millrace_queue::discard(&mut conn, id, "enough")
                        .await
                        .expect("ended")
                        .wake,
                );
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
