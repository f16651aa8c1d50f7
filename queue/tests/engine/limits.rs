//! Limits, rates, fairness and pauses, over several workers.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use millrace_queue::{
    Done, JobId, Limit, NewJob, State, Switched, enqueue, enqueue_all, limit_kind, limit_queue,
    pause_kind, pause_queue, resume_kind, resume_queue,
};
use tokio::{sync::mpsc, time::sleep};
use uuid::Uuid;

use crate::harness::{Bench, Db, Log, Step, TestWorker, next};

/// How many run at this moment, by a word, and how many ever did.
#[derive(Clone, Default)]
struct Gauge(Arc<Mutex<HashMap<String, (usize, usize)>>>);

impl Gauge {
    fn enter(&self, word: &str) {
        let mut map = self.0.lock().expect("not poisoned");
        let (now, most) = map.entry(word.to_owned()).or_default();
        *now += 1;
        *most = (*most).max(*now);
    }

    fn leave(&self, word: &str) {
        let mut map = self.0.lock().expect("not poisoned");
        map.entry(word.to_owned()).or_default().0 -= 1;
    }

    fn most(&self, word: &str) -> usize {
        let map = self.0.lock().expect("not poisoned");
        map.get(word).map_or(0, |gauge| gauge.1)
    }
}

/// Every step stays for 20 ms in the gauge of its number.
fn gauged(gauge: &Gauge) -> Bench {
    let gauge = gauge.clone();
    Bench::new(move |step, _| {
        let gauge = gauge.clone();
        async move {
            let word = step.n.to_string();
            gauge.enter(&word);
            sleep(Duration::from_millis(20)).await;
            gauge.leave(&word);
            Ok(Done::Completed)
        }
    })
}

async fn workers(db: &Db, bench: &Bench) -> Vec<TestWorker> {
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(db.worker(bench).await);
    }
    workers
}

async fn complete(db: &Db, jobs: Vec<NewJob>, workers: Vec<TestWorker>) {
    let ids: Vec<JobId> = jobs.iter().map(NewJob::id).collect();
    let mut conn = db.conn().await;
    let enqueued = enqueue_all(&mut conn, jobs).await.expect("enqueued");
    enqueued.wake.fire(&workers[0].notifier);
    for id in ids {
        db.reaches(id, State::Completed).await;
    }
    for worker in workers {
        worker.drain().await;
    }
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn jobs_of_a_serial_key_never_overlap_even_with_multiple_workers() {
    let db = Db::new().await;
    let gauge = Gauge::default();
    let bench = gauged(&gauge);
    let workers = workers(&db, &bench).await;
    let jobs = (0..45).map(|n| Step::job(n % 3).limit_key(format!("{}", n % 3)));
    complete(&db, jobs.collect(), workers).await;
    for word in ["0", "1", "2"] {
        assert_eq!(gauge.most(word), 1);
    }
}

#[tokio::test]
async fn a_family_of_keys_lets_as_many_through_as_it_says() {
    let db = Db::new().await;
    let gauge = Gauge::default();
    let all = gauge.clone();
    let mut bench = Bench::new(move |step, _| {
        let gauge = all.clone();
        async move {
            let word = step.n.to_string();
            gauge.enter(&word);
            // Until as many are there as may be; one more would be seen in the time after.
            while gauge.most(&word) < 3 {
                sleep(Duration::from_millis(5)).await;
            }
            sleep(Duration::from_millis(20)).await;
            gauge.leave(&word);
            Ok(Done::Completed)
        }
    });
    bench.limits = vec![Limit::new("tenant").at_once(3)];
    let workers = workers(&db, &bench).await;
    let jobs = (0..60).map(|n| Step::job(n % 2).limit_key(format!("tenant:{}", n % 2)));
    complete(&db, jobs.collect(), workers).await;
    for word in ["0", "1"] {
        assert_eq!(gauge.most(word), 3);
    }
}

#[tokio::test]
async fn a_closed_gate_keeps_nobody_else_waiting() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        let said = said.clone();
        async move {
            said.send(step.n).expect("the test listens");
            if step.n == 0 {
                run.cancelled().cancelled().await;
            }
            Ok(Done::Completed)
        }
    });
    let mut jobs: Vec<_> = (0..2_000).map(|_| Step::job(0).limit_key("busy")).collect();
    jobs.push(Step::job(1).limit_key("idle").priority(100));
    jobs.push(Step::job(2).priority(100));
    let mut conn = db.conn().await;
    let wake = enqueue_all(&mut conn, jobs).await.expect("enqueued").wake;
    let worker = db
        .worker_with(&bench, |o| {
            o.queues = vec![("default".to_owned(), 3)];
            o.drain_timeout = Duration::from_millis(500);
        })
        .await;
    wake.fire(&worker.notifier);
    let mut first = [
        next(&mut heard).await,
        next(&mut heard).await,
        next(&mut heard).await,
    ];
    first.sort_unstable();
    assert_eq!(first, [0, 1, 2]);
    worker.drain().await;
}

#[tokio::test]
async fn owners_of_a_fair_queue_take_turns() {
    let db = Db::new().await;
    let log = Log::default();
    let done = log.clone();
    let bench = Bench::new(move |step, _| {
        done.push(step.n);
        async { Ok(Done::Completed) }
    });
    let mut conn = db.conn().await;
    let switched = limit_queue(&mut conn, "default", None, true).await;
    assert!(switched.expect("switched").done);
    let (many, few) = (Uuid::now_v7(), Uuid::now_v7());
    let jobs = (0..200)
        .map(|_| Step::job(0).owner(many))
        .chain((0..5).map(|_| Step::job(1).owner(few)));
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 1)])
        .await;
    complete(&db, jobs.collect(), vec![worker]).await;
    let last = log.all().iter().rposition(|&n| n == 1);
    assert!(last < Some(15), "{last:?}");
}

#[tokio::test]
async fn a_rate_is_kept_within_any_period() {
    const PERIOD: Duration = Duration::from_millis(400);
    let db = Db::new().await;
    let mut bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    bench.limits = vec![Limit::new("mail").rate(3, PERIOD)];
    let workers = workers(&db, &bench).await;
    let jobs = (0..11).map(|n| Step::job(n).limit_key("mail:example.org"));
    complete(&db, jobs.collect(), workers).await;
    let mut starts: Vec<DateTime<Utc>> = sqlx::query_scalar("select started_at from queue.history")
        .fetch_all(&db.pool)
        .await
        .expect("readable");
    starts.sort_unstable();
    let period = TimeDelta::from_std(PERIOD).expect("short");
    assert_eq!(starts.len(), 11);
    for window in starts.windows(4) {
        assert!(window[3] - window[0] >= period, "{window:?}");
    }
}

#[tokio::test]
async fn a_paused_kind_starts_nothing_whenever_its_jobs_came() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let mut bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    // A worker that serves nothing registers the kinds.
    let none = db
        .worker_with(&bench, |o| o.queues = vec![("none".to_owned(), 1)])
        .await;
    let before = db.put(Step::job(1)).await;
    let mut late = db.pool.begin().await.expect("begun");
    let missed = enqueue(&mut late, Step::job(2)).await.expect("enqueued").id;
    let mut conn = db.conn().await;
    let paused = pause_kind(&mut conn, "step", "ann", Some("too many")).await;
    assert!(paused.expect("paused").done);
    assert!(
        !pause_kind(&mut conn, "nonsense", "ann", None)
            .await
            .expect("asked")
            .done
    );
    let after = db.put(Step::job(3)).await;
    let worker = db.worker(&bench).await;
    let other = db.put(crate::harness::Mourn::job("the other kind")).await;
    bench.next_mourner().await;
    db.reaches(other, State::Completed).await;
    late.commit().await.expect("committed");
    // Jobs that did not know get their gates.
    let mut gated = false;
    while !gated {
        gated = sqlx::query_scalar(
            "select bool_and(gate = 'kind:step') and not exists (select from queue.kind where gates_as_of is not null)
               from queue.job",
        )
        .fetch_one(&db.pool)
        .await
        .expect("readable");
        sleep(Duration::from_millis(20)).await;
    }
    assert!(heard.try_recv().is_err(), "a paused kind was started");
    let Switched { done, wake } = resume_kind(&mut conn, "step").await.expect("resumed");
    assert!(done);
    wake.fire(&worker.notifier);
    for id in [before, missed, after] {
        db.reaches(id, State::Completed).await;
    }
    worker.drain().await;
    none.drain().await;
}

#[tokio::test]
async fn limits_of_kinds_and_queues_hold_over_all_workers() {
    let db = Db::new().await;
    let gauge = Gauge::default();
    let bench = gauged(&gauge);
    let workers = workers(&db, &bench).await;
    let mut conn = db.conn().await;
    let limited = limit_kind(&mut conn, "step", Some(2))
        .await
        .expect("limited");
    assert!(limited.done);
    let limited = limit_queue(&mut conn, "other", Some(3), false).await;
    assert!(limited.expect("limited").done);
    let more = db
        .worker_with(&bench, |o| o.queues = vec![("other".to_owned(), 8)])
        .await;
    let jobs = (0..24)
        .map(|_| Step::job(0))
        .chain((0..24).map(|_| Step::job(0).queue("other")));
    let mut all = workers;
    all.push(more);
    complete(&db, jobs.collect(), all).await;
    assert_eq!(gauge.most("0"), 2);

    let unlimited = limit_kind(&mut conn, "step", None).await;
    assert!(unlimited.expect("unlimited").done);
    let gauge = Gauge::default();
    let bench = gauged(&gauge);
    let more = db
        .worker_with(&bench, |o| o.queues = vec![("other".to_owned(), 8)])
        .await;
    let jobs = (0..24).map(|_| Step::job(0).queue("other"));
    complete(&db, jobs.collect(), vec![more]).await;
    assert_eq!(gauge.most("0"), 3);
}

#[tokio::test]
async fn pauses_outlive_workers() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let mut conn = db.conn().await;
    pause_queue(&mut conn, "default", "ann", None)
        .await
        .expect("paused");
    let id = db.put(Step::job(1)).await;
    let serial = db.put(Step::job(2).limit_key("one")).await;
    for _ in 0..2 {
        let worker = db.worker(&bench).await;
        let there = db.put(Step::job(3).queue("other")).await;
        let other = db
            .worker_with(&bench, |o| o.queues = vec![("other".to_owned(), 1)])
            .await;
        db.reaches(there, State::Completed).await;
        worker.drain().await;
        other.drain().await;
    }
    assert_eq!(db.job(id).await.state, State::Available);
    assert_eq!(db.job(serial).await.state, State::Available);
    let worker = db.worker(&bench).await;
    let resumed = resume_queue(&mut conn, "default").await.expect("resumed");
    resumed.wake.fire(&worker.notifier);
    db.reaches(id, State::Completed).await;
    db.reaches(serial, State::Completed).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_key_of_several_gets_several_at_once() {
    let db = Db::new().await;
    let gauge = Gauge::default();
    let all = gauge.clone();
    let mut bench = Bench::new(move |_, _| {
        let gauge = all.clone();
        async move {
            // None ends before three are there, and nothing but the wake brings them.
            gauge.enter("all");
            while gauge.most("all") < 3 {
                sleep(Duration::from_millis(5)).await;
            }
            Ok(Done::Completed)
        }
    });
    bench.limits = vec![Limit::new("tenant").at_once(3)];
    let worker = db
        .worker_with(&bench, |o| o.poll = Duration::from_secs(3600))
        .await;
    let jobs = (0..3).map(|n| Step::job(n).limit_key("tenant:1"));
    complete(&db, jobs.collect(), vec![worker]).await;
    assert_eq!(gauge.most("all"), 3);
}

#[tokio::test]
async fn a_job_that_ran_while_its_kind_was_limited_runs_again() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let runner = bench.runner(&db).await;
    let id = db.put(Step::job(1)).await;
    db.claim_for_nobody(id, -1).await;
    let mut conn = db.conn().await;
    assert!(
        limit_kind(&mut conn, "step", Some(1))
            .await
            .expect("limited")
            .done
    );
    // Until the gates are thought to be right.
    let mut open = true;
    while open {
        sqlx::query("select queue.regate(100)")
            .execute(&mut *conn)
            .await
            .expect("regated");
        open = sqlx::query_scalar("select bool_or(gates_as_of is not null) from queue.kind")
            .fetch_one(&mut *conn)
            .await
            .expect("readable");
    }
    let ran = runner.run_next().await.expect("ran").expect("rescued");
    assert_eq!((ran.id, ran.state), (id, State::Completed));
}
