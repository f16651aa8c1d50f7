//! What is counted, and under which labels.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use millrace_queue::{Done, EngineOptions, Failure, Kind, NewJob, Run, State, enqueue_all};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::time::{Instant, sleep};

use crate::harness::{Bench, Db, PATIENCE, Step};

/// A kind that no worker of these tests knows.
#[derive(Serialize, Deserialize)]
struct Counted {}

impl Kind for Counted {
    const KIND: &'static str = "counted";
    const QUEUE: &'static str = "counting";
}

/// Another one.
#[derive(Serialize, Deserialize)]
struct Stray {}

impl Kind for Stray {
    const KIND: &'static str = "stray";
    const QUEUE: &'static str = "counting";
}

/// The recorder of the test process. The queues of each test are its own, so that no other counts there.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        PrometheusBuilder::new()
            .install_recorder()
            .expect("the first recorder")
    })
}

/// Waits until the metrics have this line.
async fn shows(line: &str) {
    let begun = Instant::now();
    loop {
        let shown = recorder().render();
        if shown.lines().any(|shown| shown == line) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "no {line} in\n{shown}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn serving(queue: &str) -> impl FnOnce(&mut EngineOptions) {
    let queue = queue.to_owned();
    |options| options.queues = vec![(queue, 4)]
}

#[tokio::test]
async fn runs_are_counted_by_queue_kind_and_outcome() {
    recorder();
    let db = Db::new().await;
    let bench = Bench::new(async |step, run: Arc<Run>| match (step.n, run.attempt) {
        (2, 1) => Err("not yet".into()),
        (3, _) => Err(Failure::fail("never")),
        _ => Ok(Done::Completed),
    });
    let worker = db.worker_with(&bench, serving("metered")).await;
    for (n, end) in [
        (1, State::Completed),
        (2, State::Completed),
        (3, State::Discarded),
    ] {
        let id = db.put(Step::job(n).queue("metered")).await;
        db.reaches(id, end).await;
    }
    worker.drain().await;
    let labels = r#"queue="metered",kind="step""#;
    shows(&format!("queue_runs_started_total{{{labels}}} 4")).await;
    shows(&format!("queue_wait_seconds_count{{{labels}}} 4")).await;
    shows(&format!("queue_run_seconds_count{{{labels}}} 4")).await;
    for (outcome, n) in [
        ("completed", 2),
        ("retryable", 1),
        ("discarded", 1),
        ("lease_lost", 0),
    ] {
        shows(&format!(
            r#"queue_runs_ended_total{{{labels},outcome="{outcome}"}} {n}"#
        ))
        .await;
    }
}

#[tokio::test]
async fn inserted_jobs_are_counted_under_their_own_queue_or_as_others() {
    recorder();
    let db = Db::new().await;
    let job = || NewJob::new(&Counted {});
    db.put(job()).await;
    let mut conn = db.pool.acquire().await.expect("a connection");
    let three = NewJob::chain([job(), job(), job().queue("one-of-many")]);
    enqueue_all(&mut conn, three).await.expect("enqueued");
    shows(r#"queue_jobs_enqueued_total{queue="counting",kind="counted"} 3"#).await;
    shows(r#"queue_jobs_enqueued_total{queue="other",kind="counted"} 1"#).await;
}

#[tokio::test]
async fn kinds_that_no_worker_has_registered_wait_under_other() {
    recorder();
    let db = Db::new().await;
    let bench = Bench::new(async |_, _| Ok(Done::Completed));
    let worker = db.worker_with(&bench, serving("metered-depth")).await;
    db.put(NewJob::new(&Stray {}).queue("metered-depth")).await;
    shows(r#"queue_jobs{queue="metered-depth",kind="other",state="available"} 1"#).await;
    let shown = recorder().render();
    assert!(
        shown.contains(r#"queue_oldest_due_seconds{queue="metered-depth",kind="other""#),
        "{shown}"
    );
    assert!(!shown.contains(r#"queue_jobs{queue="metered-depth",kind="stray""#));
    worker.drain().await;
}

#[tokio::test]
async fn rescues_and_refused_answers_are_counted() {
    recorder();
    let db = Db::new().await;
    // The first run loses its job to somebody else, whose lease runs out.
    let pool = db.pool.clone();
    let bench = Bench::new(move |_, run| {
        let pool = pool.clone();
        async move {
            if run.run_no == 1 {
                pass_on(&pool, &run).await?;
            }
            Ok(Done::Completed)
        }
    });
    let worker = db.worker_with(&bench, serving("metered-late")).await;
    let id = db.put(Step::job(1).queue("metered-late")).await;
    db.reaches(id, State::Completed).await;
    worker.drain().await;
    let labels = r#"queue="metered-late",kind="step""#;
    shows(&format!("queue_answers_refused_total{{{labels}}} 1")).await;
    shows(&format!(
        r#"queue_jobs_rescued_total{{{labels},state="available"}} 1"#
    ))
    .await;
}

async fn pass_on(pool: &PgPool, run: &Run) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update queue.job set token = gen_random_uuid(), lease_until = clock_timestamp() + interval '1 second'
          where id = $1",
    )
    .bind(run.id)
    .execute(pool)
    .await
    .map(drop)
}
