//! Jobs that come round by the clock.

use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_queue::{CatchUp, Done, Schedule};
use sqlx::FromRow;
use tokio::time::{interval, timeout};

use crate::harness::{Bench, Db, Log, PATIENCE, Step, sql};

#[derive(Debug, Clone, PartialEq, FromRow)]
struct Row {
    cron: String,
    zone: String,
    catch_up: String,
    enabled: bool,
    next_at: Option<DateTime<Utc>>,
}

async fn row(db: &Db) -> Row {
    sqlx::query_as(
        "select cron, zone, catch_up, enabled, next_at from queue.schedule where name = 'tidy'",
    )
    .fetch_one(&db.pool)
    .await
    .expect("the schedule exists")
}

async fn eventually(what: &str, mut is: impl AsyncFnMut() -> bool) {
    let mut tick = interval(Duration::from_millis(10));
    let waited = timeout(PATIENCE, async {
        while !is().await {
            tick.tick().await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

async fn count(db: &Db, text: &'static str) -> i64 {
    sqlx::query_scalar(text)
        .fetch_one(&db.pool)
        .await
        .expect("readable")
}

fn bench(log: &Log, schedule: Schedule) -> Bench {
    let log = log.clone();
    let mut bench = Bench::new(move |step, _| {
        log.push(step.n);
        async { Ok(Done::Completed) }
    });
    bench.schedules.push(schedule);
    bench
}

/// Hourly: it does not come round during a test unless the test says so (or once, at the full hour).
fn hourly(catch_up: CatchUp) -> Schedule {
    Schedule::new("tidy", "0 0 * * * *", &Step { n: 7 }).catch_up(catch_up)
}

/// As if nobody had been there for ten hours.
async fn ten_hours_pass(db: &Db) {
    let mut conn = db.conn().await;
    let moved = sql(
        &mut conn,
        "update queue.schedule set next_at = date_trunc('hour', now()) - interval '9 hours' where next_at is not null",
    );
    assert_eq!(moved.await, 1);
}

#[tokio::test]
async fn many_workers_fire_every_tick_once() {
    let db = Db::new().await;
    let log = Log::default();
    let bench = bench(&log, hourly(CatchUp::All));
    let workers = [
        db.worker(&bench).await,
        db.worker(&bench).await,
        db.worker(&bench).await,
    ];
    eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
    assert_eq!(log.all().len(), 0, "what is new has missed nothing");
    ten_hours_pass(&db).await;
    eventually("all ticks have run", async || log.all().len() >= 10).await;
    eventually("it waits for the next hour", async || {
        row(&db).await.next_at > Some(Utc::now())
    })
    .await;
    for worker in workers {
        worker.drain().await;
    }
    let (ticks, jobs) = (
        count(&db, "select count(*) from queue.schedule_tick").await,
        count(
            &db,
            "select count(distinct id) from queue.history where meta ->> 'schedule' = 'tidy'",
        )
        .await,
    );
    // Ten, or eleven when the test runs into a full hour.
    assert!(ticks == 10 || ticks == 11, "{ticks}");
    assert_eq!((jobs, log.all().len() as i64), (ticks, ticks));
    let named = count(
        &db,
        "select count(*) from queue.schedule_tick t join queue.history h on h.id = t.job_id",
    )
    .await;
    assert_eq!(named, ticks);
}

#[tokio::test]
async fn it_comes_round_by_the_clock() {
    let db = Db::new().await;
    let log = Log::default();
    let bench = bench(&log, Schedule::new("tidy", "* * * * * *", &Step { n: 1 }));
    let worker = db.worker(&bench).await;
    eventually("three ticks", async || log.all().len() >= 3).await;
    worker.drain().await;
    let early = count(
        &db,
        "select count(*) from queue.schedule_tick where fired_at < tick_at",
    )
    .await;
    let whole = count(
        &db,
        "select count(*) from queue.schedule_tick where date_trunc('second', tick_at) = tick_at",
    )
    .await;
    assert_eq!(early, 0);
    assert_eq!(
        whole,
        count(&db, "select count(*) from queue.schedule_tick").await
    );
}

#[tokio::test]
async fn missed_ticks_become_one_or_none() {
    for (policy, wanted) in [(CatchUp::Last, 1), (CatchUp::None, 0)] {
        let db = Db::new().await;
        let log = Log::default();
        let worker = db.worker(&bench(&log, hourly(policy))).await;
        eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
        ten_hours_pass(&db).await;
        eventually("it waits for the next hour", async || {
            row(&db).await.next_at > Some(Utc::now())
        })
        .await;
        worker.drain().await;
        let ticks = count(&db, "select count(*) from queue.schedule_tick").await;
        // One more when the test runs into a full hour, whose tick is in time.
        assert!(
            ticks == wanted || ticks == wanted + 1,
            "{policy:?}: {ticks}"
        );
        let latest = count(
            &db,
            "select count(*) from queue.schedule_tick where tick_at < date_trunc('hour', fired_at)",
        );
        assert_eq!(latest.await, 0, "an older tick was fired");
    }
}

#[tokio::test]
async fn a_tick_whose_forerunner_runs_is_its() {
    let db = Db::new().await;
    let (begun, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let go = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let wait = go.clone();
    let mut bench = Bench::new(move |_, _| {
        begun.send(()).expect("the test listens");
        let wait = wait.clone();
        async move {
            let _turn = wait.acquire().await;
            Ok(Done::Completed)
        }
    });
    bench
        .schedules
        .push(Schedule::new("tidy", "* * * * * *", &Step { n: 1 }));
    let worker = db.worker(&bench).await;
    crate::harness::next(&mut heard).await;
    eventually("more ticks", async || {
        count(&db, "select count(*) from queue.schedule_tick").await >= 3
    })
    .await;
    assert_eq!(count(&db, "select count(*) from queue.job").await, 1);
    assert_eq!(
        count(
            &db,
            "select count(distinct job_id) from queue.schedule_tick"
        )
        .await,
        1
    );
    assert!(heard.try_recv().is_err(), "a second one runs");
    go.add_permits(100);
    worker.drain().await;
}

#[tokio::test]
async fn what_an_operator_changed_stays_and_the_rest_follows_the_code() {
    let db = Db::new().await;
    let log = Log::default();
    let first = db.worker(&bench(&log, hourly(CatchUp::Last))).await;
    eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
    sql(
        &mut *db.conn().await,
        "update queue.schedule set cron = '0 30 4 * * *', zone = 'Asia/Taipei'",
    )
    .await;
    // 04:30 in Taipei is 20:30 UTC.
    eventually("the change is heeded", async || {
        row(&db)
            .await
            .next_at
            .is_some_and(|at| at.format("%H:%M").to_string() == "20:30")
    })
    .await;
    first.drain().await;

    let second = db.worker(&bench(&log, hourly(CatchUp::All))).await;
    let now = row(&db).await;
    assert_eq!(
        (now.cron.as_str(), now.zone.as_str()),
        ("0 30 4 * * *", "Asia/Taipei")
    );
    assert_eq!(now.catch_up, "all", "nobody had changed that");
    second.drain().await;
    assert_eq!(log.all().len(), 0);
}

#[tokio::test]
async fn a_disabled_schedule_rests_and_catches_nothing_up() {
    let db = Db::new().await;
    let log = Log::default();
    let worker = db.worker(&bench(&log, hourly(CatchUp::All))).await;
    eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
    sql(
        &mut *db.conn().await,
        "update queue.schedule set enabled = false, next_at = now() - interval '3 hours'",
    )
    .await;
    eventually("it rests", async || row(&db).await.next_at.is_none()).await;
    sql(
        &mut *db.conn().await,
        "update queue.schedule set enabled = true",
    )
    .await;
    eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
    assert!(row(&db).await.next_at > Some(Utc::now()));
    worker.drain().await;
    assert_eq!(log.all().len(), 0);
}

#[tokio::test]
async fn clocks_that_jump_neither_stop_it_nor_fire_twice() {
    let db = Db::new().await;
    let log = Log::default();
    let worker = db.worker(&bench(&log, hourly(CatchUp::All))).await;
    eventually("it is placed", async || row(&db).await.next_at.is_some()).await;
    // The clock had been seventy years ahead, and somebody mended it.
    sql(
        &mut *db.conn().await,
        "update queue.schedule set next_at = next_at + interval '70 years'",
    )
    .await;
    let soon = Utc::now() + chrono::TimeDelta::hours(1);
    eventually("it is placed anew", async || {
        row(&db).await.next_at <= Some(soon)
    })
    .await;
    // Two hours pass twice.
    for _ in 0..2 {
        sql(
            &mut *db.conn().await,
            "update queue.schedule set next_at = date_trunc('hour', now()) - interval '1 hour'",
        )
        .await;
        eventually("they are caught up", async || {
            row(&db).await.next_at > Some(Utc::now())
        })
        .await;
    }
    worker.drain().await;
    let ticks = count(&db, "select count(*) from queue.schedule_tick").await;
    assert!(ticks == 2 || ticks == 3, "{ticks}");
    assert_eq!(log.all().len() as i64, ticks);
}

#[tokio::test]
async fn nonsense_in_the_table_stops_nothing_else() {
    let db = Db::new().await;
    let log = Log::default();
    sql(
        &mut *db.conn().await,
        "insert into queue.schedule (name, kind, queue, cron) values ('broken', 'step', 'default', 'now and then'), ('foreign', 'unheard_of', 'default', '* * * * * *')",
    )
    .await;
    let worker = db
        .worker(&bench(
            &log,
            Schedule::new("tidy", "* * * * * *", &Step { n: 1 }),
        ))
        .await;
    eventually("two ticks", async || log.all().len() >= 2).await;
    worker.drain().await;
}
