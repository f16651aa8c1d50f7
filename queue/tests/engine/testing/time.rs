//! Time that passes when the test says so.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use millrace_queue::{
    Limit, Schedule, UniqueKey, enqueue, find, maintain, pause_kind, pause_queue, request_cancel,
    testing::time_passes,
};
use sqlx::{AssertSqlSafe, PgConnection};

use super::{HOUR, fates};
use crate::harness::{Db, Step, sql};

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
    db.put(Step::job(2).after(&[asked])).await;
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
    pause_queue(&mut conn, "none", "ann", None)
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
    let days: Vec<NaiveDate> = drop_days(&mut conn).await;
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

async fn drop_days(conn: &mut PgConnection) -> Vec<NaiveDate> {
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
        maintain(&mut conn).await.expect("maintained");
        let row = find(&mut conn, first).await.expect("readable");
        assert_eq!(row.is_some(), kept, "{days}");
    }
}
