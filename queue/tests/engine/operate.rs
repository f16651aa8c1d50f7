//! What operators do and see: explanations, logs, lists, schedules, retention, counts.

use std::{collections::HashSet, time::Duration};

use millrace_queue::{
    CatchUp, Done, Failure, JobFilter, JobId, Limit, LogLine, NewJob, Schedule, ScheduleChange,
    ScheduleError, State, change_schedule, enqueue, enqueue_all, explain, jobs, limit_kind,
    limit_queue, maintain, pause_kind, pause_queue, request_cancel, request_cancel_within,
    resume_kind, resume_queue, run_schedule, schedules, wait_also,
};
use serde_json::json;
use sqlx::Connection as _;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::harness::{Bench, Db, Log, Step, next, sql};

const HOUR: Duration = Duration::from_secs(3600);

async fn why(db: &Db, id: JobId) -> Vec<String> {
    let reasons = explain(&db.pool, id).await.expect("readable");
    assert!(
        reasons.iter().all(|r| r.detail.ends_with('.')),
        "{reasons:?}"
    );
    reasons.into_iter().map(|reason| reason.code).collect()
}

#[tokio::test]
async fn every_reason_why_a_job_does_not_run_is_named() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let mut bench = Bench::new(|_, run| async move {
        run.cancelled().cancelled().await;
        Ok(Done::Completed)
    });
    bench.limits = vec![Limit::new("mail").rate(1, HOUR)];
    assert!(why(&db, JobId::new()).await.is_empty());
    let id = db.put(Step::job(1)).await;
    assert_eq!(why(&db, id).await, ["no_worker"]);
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = vec![("default".to_owned(), 2)];
            o.drain_timeout = Duration::from_millis(300);
        })
        .await;
    db.reaches(id, State::Running).await;
    assert_eq!(why(&db, id).await, ["running"]);

    pause_queue(&mut conn, "default", "ann", Some("a note"))
        .await
        .expect("paused");
    pause_kind(&mut conn, "step", "ann", None)
        .await
        .expect("paused")
        .wake
        .fire(&worker.notifier);
    let later = db.put(Step::job(2).delay(HOUR)).await;
    assert_eq!(
        why(&db, later).await,
        ["run_at", "queue_paused", "kind_paused"]
    );
    resume_queue(&mut conn, "default")
        .await
        .expect("resumed")
        .wake
        .fire(&worker.notifier);
    resume_kind(&mut conn, "step")
        .await
        .expect("resumed")
        .wake
        .fire(&worker.notifier);

    limit_kind(&mut conn, "step", Some(1))
        .await
        .expect("limited")
        .wake
        .fire(&worker.notifier);
    limit_queue(&mut conn, "default", Some(1), false)
        .await
        .expect("limited")
        .wake
        .fire(&worker.notifier);
    let limited = db.put(Step::job(3)).await;
    assert_eq!(why(&db, limited).await, ["queue_limit", "kind_limit"]);
    limit_kind(&mut conn, "step", None)
        .await
        .expect("unlimited")
        .wake
        .fire(&worker.notifier);
    limit_queue(&mut conn, "default", None, false)
        .await
        .expect("unlimited")
        .wake
        .fire(&worker.notifier);
    db.reaches(limited, State::Running).await;

    // Both places are taken now.
    let line = db.put(Step::job(4)).await;
    assert_eq!(why(&db, line).await, ["in_line"]);
    let waiting = db.put(Step::job(5).after(&[line])).await;
    assert_eq!(why(&db, waiting).await, ["dependency"]);
    let serial = db.put(Step::job(6).limit_key("one")).await;
    db.claim_for_nobody(serial, 60_000).await;
    let second = db.put(Step::job(7).limit_key("one")).await;
    assert_eq!(why(&db, second).await, ["key_limit"]);
    sql(
        &mut conn,
        "insert into queue.rate_use (key, at, n) values ('mail:x', now(), 1)",
    )
    .await;
    let mail = db.put(Step::job(8).limit_key("mail:x")).await;
    assert_eq!(why(&db, mail).await, ["rate"]);
    sql(&mut conn, "update queue.job set lease_until = now() - interval '1 hour' where limit_key = 'one' and state = 'running'").await;
    assert!(why(&db, serial).await.starts_with(&["running".to_owned()]));
    let gone = request_cancel(&mut conn, line, "test")
        .await
        .expect("cancelled");
    gone.wake.fire(&worker.notifier);
    assert_eq!(why(&db, line).await, ["ended"]);
    worker.drain().await;
}

#[tokio::test]
async fn a_cancel_is_requested_delivered_and_then_carried_out() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        let said = said.clone();
        async move {
            said.send(step.n).expect("the test listens");
            // Does not listen.
            std::future::pending::<()>().await;
            drop(run);
            Ok(Done::Completed)
        }
    });
    let worker = db.worker(&bench).await;
    let mut conn = db.conn().await;
    let enqueued = enqueue(&mut conn, Step::job(1)).await.expect("enqueued");
    enqueued.wake.fire(&worker.notifier);
    next(&mut heard).await;
    let grace = Duration::from_millis(700);
    let answer = request_cancel_within(&mut conn, enqueued.id, "enough", grace).await;
    answer.expect("requested").wake.fire(&worker.notifier);
    let row = db.reaches(enqueued.id, State::Cancelled).await;
    assert_eq!(row.reason.as_deref(), Some("enough"));
    let stages: (bool, bool) = sqlx::query_as(
        "select cancel_delivered_at >= cancel_requested_at, finished_at >= cancel_delivered_at + interval '0.7 s'
           from queue.history where id = $1",
    )
    .bind(enqueued.id)
    .fetch_one(&db.pool)
    .await
    .expect("readable");
    assert_eq!(stages, (true, true));
    worker.drain().await;
}

#[tokio::test]
async fn runs_write_lines_that_stay_after_them() {
    let db = Db::new().await;
    let bench = Bench::new(|step, run| async move {
        for n in 1..=step.n {
            run.log(format!("line {n}\0"));
        }
        if run.run_no == 1 {
            return Err(Failure::from("once more"));
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let few = db.put(Step::job(3)).await;
    let many = db.put(Step::job(1_500)).await;
    for id in [few, many] {
        db.reaches(id, State::Completed).await;
    }
    worker.drain().await;
    let lines = LogLine::of_job(&db.pool, few, (0, 0), 100)
        .await
        .expect("readable");
    let texts: Vec<_> = lines
        .iter()
        .map(|l| (l.run_no, l.n, l.line.as_str()))
        .collect();
    assert_eq!(
        texts[..2],
        [(1, 1, "line 1\u{fffd}"), (1, 2, "line 2\u{fffd}")]
    );
    assert_eq!((texts.len(), texts[5]), (6, (2, 3, "line 3\u{fffd}")));
    let rest = LogLine::of_job(&db.pool, few, (1, 3), 100)
        .await
        .expect("readable");
    assert_eq!(rest, lines[3..]);
    let lines = LogLine::of_job(&db.pool, many, (1, 998), 2)
        .await
        .expect("readable");
    assert_eq!(lines[1].line, "further lines are left out");
}

#[tokio::test]
async fn lists_go_page_by_page_through_what_lives_and_what_ended() {
    let db = Db::new().await;
    let bench = Bench::new(|step, _| async move {
        if step.n % 2 == 0 {
            Ok(Done::Completed)
        } else {
            Err(Failure::fail("odd"))
        }
    });
    let owner = Uuid::now_v7();
    let all: Vec<NewJob> = (0..20)
        .map(|n| Step::job(n).owner(owner).tag(format!("t{}", n % 2)))
        .collect();
    let ids: Vec<JobId> = all.iter().map(NewJob::id).collect();
    let mut conn = db.conn().await;
    let wake = enqueue_all(&mut conn, all).await.expect("enqueued").wake;
    let worker = db.worker(&bench).await;
    wake.fire(&worker.notifier);
    for (n, &id) in ids.iter().enumerate() {
        db.reaches(
            id,
            if n % 2 == 0 {
                State::Completed
            } else {
                State::Discarded
            },
        )
        .await;
    }
    let live = db.put(Step::job(1).delay(HOUR).owner(owner)).await;
    let everything = JobFilter {
        owner: Some(owner),
        ..JobFilter::default()
    };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = jobs(&mut conn, &everything, before, 6)
            .await
            .expect("readable");
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        seen.extend(page.iter().map(|job| job.id));
    }
    let newest: Vec<JobId> = ids.iter().rev().copied().collect();
    assert_eq!(seen[0], live);
    assert_eq!(seen[1..], newest);
    let odd = JobFilter {
        states: vec![State::Discarded],
        tag: Some("t1".to_owned()),
        ..JobFilter::default()
    };
    let page = jobs(&mut conn, &odd, None, 100).await.expect("readable");
    assert_eq!(page.len(), 10);
    assert!(page.iter().all(|job| job.reason.as_deref() == Some("odd")));
    worker.drain().await;

    // The counts of endings equal the endings, before and after they are folded.
    for _ in 0..2 {
        let counted: Vec<(State, i64)> =
            sqlx::query_as("select state, sum(n)::bigint from queue.tally group by 1 order by 1")
                .fetch_all(&db.pool)
                .await
                .expect("readable");
        assert_eq!(counted, [(State::Completed, 10), (State::Discarded, 10)]);
        sql(
            &mut conn,
            "update queue.tally set minute = minute - interval '5 minutes'",
        )
        .await;
        sql(&mut conn, "select queue.fold_tallies()").await;
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from queue.tally where folded")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!(rows, 2);
}

#[tokio::test]
async fn schedules_are_changed_switched_and_run_by_hand() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    bench.schedules = vec![Schedule::new("rare", "0 0 1 1 *", &Step { n: 1 })];
    let mut conn = db.conn().await;
    let worker = db.worker(&bench).await;
    let (job, wake) = run_schedule(&mut conn, "rare").await.expect("enqueued");
    wake.fire(&worker.notifier);
    assert_eq!(next(&mut heard).await, 1);
    db.reaches(job, State::Completed).await;

    let change = ScheduleChange {
        cron: Some("* * * * * *".to_owned()),
        zone: Some("Asia/Taipei".to_owned()),
        args: Some(json!({"n": 2})),
        catch_up: Some(CatchUp::None),
        enabled: None,
    };
    change_schedule(&mut conn, "rare", &change)
        .await
        .expect("changed");
    assert_eq!(next(&mut heard).await, 2);
    // What was changed outlives the worker.
    worker.drain().await;
    let worker = db.worker(&bench).await;
    while heard.try_recv().is_ok() {}
    assert_eq!(next(&mut heard).await, 2);
    let off = ScheduleChange {
        enabled: Some(false),
        ..ScheduleChange::default()
    };
    change_schedule(&mut conn, "rare", &off)
        .await
        .expect("changed");
    let row = schedules(&db.pool).await.expect("readable").remove(0);
    assert_eq!(
        (
            row.cron.as_str(),
            row.zone.as_str(),
            row.enabled,
            row.changed
        ),
        ("* * * * * *", "Asia/Taipei", false, true)
    );
    assert!(row.last_at.is_some() && row.last_job.is_some());
    worker.drain().await;

    let bad = |change: ScheduleChange| change;
    for (name, change, said) in [
        ("none", off.clone(), "no schedule none"),
        (
            "rare",
            bad(ScheduleChange {
                cron: Some("often".to_owned()),
                ..ScheduleChange::default()
            }),
            "often",
        ),
        (
            "rare",
            bad(ScheduleChange {
                zone: Some("Mars/Olympus".to_owned()),
                ..ScheduleChange::default()
            }),
            "Mars",
        ),
        (
            "rare",
            bad(ScheduleChange {
                args: Some(json!([1])),
                ..ScheduleChange::default()
            }),
            "JSON object",
        ),
    ] {
        let error = change_schedule(&mut conn, name, &change)
            .await
            .expect_err(said);
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(matches!(
        run_schedule(&mut conn, "none").await,
        Err(ScheduleError::Unknown(_))
    ));
}

#[tokio::test]
async fn each_queue_keeps_its_history_as_long_as_it_says() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let mut conn = db.conn().await;
    sql(
        &mut conn,
        "insert into queue.queue (name, keep_days) values ('brief', 0), ('long', 400)",
    )
    .await;
    sql(&mut conn, "select queue.ensure_partitions()").await;
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = ["default", "brief", "long"]
                .map(|name| (name.to_owned(), 1))
                .to_vec();
        })
        .await;
    let mut ids = Vec::new();
    for queue in ["default", "brief", "long"] {
        let id = db.put(Step::job(1).queue(queue)).await;
        db.reaches(id, State::Completed).await;
        ids.push(id);
    }
    worker.drain().await;
    let kept: Vec<(String, i32)> = sqlx::query_as(
        "select queue, drop_on - (now() at time zone 'UTC')::date from queue.history order by 2",
    )
    .fetch_all(&db.pool)
    .await
    .expect("readable");
    let kept: Vec<(&str, i32)> = kept
        .iter()
        .map(|(queue, days)| (queue.as_str(), *days))
        .collect();
    assert_eq!(kept, [("brief", 1), ("default", 15), ("long", 401)]);
    let stray: i64 = sqlx::query_scalar("select count(*) from queue.history_without_day")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!(stray, 0);
    // What is past its day goes with its partition; the others stay.
    sql(&mut conn, "create table queue.history_20200101 partition of queue.history for values from ('2020-01-01') to ('2020-01-02')").await;
    sql(
        &mut conn,
        "update queue.history set drop_on = '2020-01-01' where queue = 'brief'",
    )
    .await;
    maintain(&mut conn).await.expect("maintained");
    let mut left = Vec::new();
    for id in ids {
        left.push(
            millrace_queue::find(&mut conn, id)
                .await
                .expect("readable")
                .is_some(),
        );
    }
    assert_eq!(left, [true, false, true]);
    let gone: bool = sqlx::query_scalar("select to_regclass('queue.history_20200101') is null")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert!(gone);
}

#[tokio::test]
async fn members_of_a_group_add_to_what_its_callback_waits_for() {
    let db = Db::new().await;
    let log = Log::default();
    let done = log.clone();
    let (pool, last) = (db.pool.clone(), JobId::new());
    let bench = Bench::new(move |step, run| {
        let (done, pool) = (done.clone(), pool.clone());
        async move {
            if step.n == 1 {
                let mut tx = pool.begin().await?;
                run.fence(&mut tx).await?;
                let more = Step::job(3).delay(Duration::from_millis(300));
                let id = more.id();
                enqueue(&mut tx, more).await?.wake.fire(run.notifier());
                assert!(wait_also(&mut tx, last, &[id], true).await?);
                tx.commit().await?;
            }
            done.push(step.n);
            if step.n == 2 {
                Err(Failure::fail("no"))
            } else {
                Ok(Done::Completed)
            }
        }
    });
    let members = [Step::job(1), Step::job(2)];
    let callback = Step::job(9).with_id(last).when_ended(&members);
    let mut all = members.to_vec();
    all.push(callback);
    all.extend(NewJob::chain([Step::job(11), Step::job(12), Step::job(13)]));
    let mut conn = db.conn().await;
    let wake = enqueue_all(&mut conn, all).await.expect("enqueued").wake;
    let worker = db.worker(&bench).await;
    wake.fire(&worker.notifier);
    db.reaches(last, State::Completed).await;
    let order = log.all();
    let place = |n| order.iter().position(|&other| other == n);
    let seen: HashSet<i64> = order.iter().copied().collect();
    assert_eq!(seen, HashSet::from([1, 2, 3, 9, 11, 12, 13]));
    assert!(place(3) < place(9) && place(2) < place(9));
    assert!(place(11) < place(12) && place(12) < place(13));
    assert!(
        !wait_also(&mut conn, last, &[JobId::new()], true)
            .await
            .expect("asked")
    );
    worker.drain().await;
    assert!(db.is_empty().await);
    maintain(&mut conn).await.expect("maintained");
    conn.ping().await.expect("alive");
}
