//! How runs end, and what is kept of it.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, Instant},
};

use millrace_queue::{Backoff, Done, Failure, NewJob, OrOutcome, Progress, State, enqueue_all};
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::{Bench, Db, Mourn, Step};

#[tokio::test]
async fn a_completed_job_moves_to_the_history_with_its_result() {
    let db = Db::new().await;
    let bench =
        Bench::new(|step, _| async move { Ok(Done::CompletedWith(json!({"twice": step.n * 2}))) });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(21)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(row.result, Some(json!({"twice": 42})));
    assert_eq!((row.attempt, row.run_no, row.crash_count), (1, 1, 0));
    assert_eq!(row.errors, json!([]));
    assert!(db.is_empty().await);
    assert!(worker.drain().await.clean);
}

#[tokio::test]
async fn a_failed_run_waits_for_its_stored_backoff_and_keeps_its_error() {
    let db = Db::new().await;
    let bench = Bench::new(|_, run| async move {
        if run.attempt < 3 {
            return Err(anyhow::anyhow!("socket closed")
                .context(format!("try {}", run.attempt))
                .into());
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let started = Instant::now();
    let backoff = Backoff {
        base_ms: 150,
        factor: 2.0,
        max_ms: 1000,
        jitter: 0.0,
    };
    let id = db.put(Step::job(1).backoff(backoff)).await;
    let row = db.reaches(id, State::Completed).await;
    assert!(
        started.elapsed() >= Duration::from_millis(450),
        "150 ms and 300 ms were waited"
    );
    assert_eq!((row.attempt, row.run_no), (3, 3));
    let errors = row.errors.as_array().expect("a list");
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0]["error"], "try 1: socket closed");
    assert_eq!(errors[1]["attempt"], 2);
    worker.drain().await;
}

#[tokio::test]
async fn spent_attempts_discard_the_job() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Err("no such host".into()) });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    let row = db.reaches(id, State::Discarded).await;
    assert_eq!((row.attempt, row.run_no), (3, 3));
    assert_eq!(row.code.as_deref(), Some("attempts_spent"));
    assert_eq!(row.reason.as_deref(), Some("no such host"));
    assert_eq!(row.errors.as_array().map(Vec::len), Some(3));
    worker.drain().await;
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let db = Db::new().await;
    let bench = Bench::new(|_, run| async move {
        if run.attempt == 1 {
            return Err(Failure::RetryAfter(
                "later".into(),
                Duration::from_millis(400),
            ));
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let started = Instant::now();
    let id = db.put(Step::job(1)).await;
    db.reaches(id, State::Completed).await;
    assert!(started.elapsed() >= Duration::from_millis(400));
    worker.drain().await;
}

#[tokio::test]
async fn a_snooze_gives_the_attempt_back() {
    let db = Db::new().await;
    let bench = Bench::new(|_, run| async move {
        if run.run_no <= 5 {
            return Ok(Done::Snooze(Duration::from_millis(10)));
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        (row.attempt, row.run_no),
        (1, 6),
        "three attempts would not have been enough"
    );
    worker.drain().await;
}

#[tokio::test]
async fn cancel_and_fail_are_said_aloud() {
    let db = Db::new().await;
    let bench = Bench::new(|step, _| async move {
        if step.n == 1 {
            None::<()>.or_cancel("media was deleted")?;
        }
        Err::<(), _>("moov atom not found")
            .or_fail("not a video")
            .map_err(|f| f.with_code("not_a_video"))?;
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let unwanted = db.put(Step::job(1)).await;
    let hopeless = db.put(Step::job(2)).await;
    let row = db.reaches(unwanted, State::Cancelled).await;
    assert_eq!(row.reason.as_deref(), Some("media was deleted"));
    let row = db.reaches(hopeless, State::Discarded).await;
    assert_eq!(row.attempt, 1);
    assert_eq!(row.code.as_deref(), Some("not_a_video"));
    assert_eq!(
        row.reason.as_deref(),
        Some("not a video: moov atom not found")
    );
    worker.drain().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_run_and_harms_nobody() {
    let db = Db::new().await;
    let bench = Bench::new(|step, run| async move {
        assert!(step.n != 1 || run.attempt > 1, "boom {}", step.n);
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let bad = db.put(Step::job(1)).await;
    let good = db.put(Step::job(2)).await;
    db.reaches(good, State::Completed).await;
    let row = db.reaches(bad, State::Completed).await;
    assert_eq!(row.crash_count, 0);
    assert_eq!(row.errors[0]["code"], "panic");
    assert_eq!(row.errors[0]["error"], "panicked: boom 1");
    assert!(worker.is_alive());
    worker.drain().await;
}

#[tokio::test]
async fn arguments_that_do_not_decode_discard_their_job_alone() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let bad = db.put(Step::job(1)).await;
    let good = db.put(Step::job(2)).await;
    sqlx::query(r#"update queue.job set args = '{"n": "many"}' where id = $1"#)
        .bind(bad)
        .execute(&db.pool)
        .await
        .expect("updated");
    let worker = db.worker(&bench).await;
    let row = db.reaches(bad, State::Discarded).await;
    assert_eq!(row.code.as_deref(), Some("undecodable"));
    assert!(
        row.reason
            .expect("a reason")
            .contains("invalid type: string \"many\"")
    );
    db.reaches(good, State::Completed).await;
    worker.drain().await;
}

#[tokio::test]
async fn a_result_that_cannot_be_stored_costs_its_own_job_only() {
    let db = Db::new().await;
    let bench = Bench::new(|step, _| async move {
        Ok(Done::CompletedWith(if step.n == 7 {
            json!("a\u{0}b")
        } else {
            json!(step.n)
        }))
    });
    let mut conn = db.conn().await;
    let jobs: Vec<NewJob> = (0..40).map(Step::job).collect();
    let placed = enqueue_all(&mut conn, jobs).await.expect("enqueued").ids;
    let worker = db
        .worker_with(&bench, |o| o.queues = vec![("default".to_owned(), 40)])
        .await;
    for (n, job) in placed.iter().enumerate() {
        if n == 7 {
            let row = db.reaches(job.id, State::Discarded).await;
            assert_eq!(row.code.as_deref(), Some("unstorable"));
        } else {
            let row = db.reaches(job.id, State::Completed).await;
            assert_eq!((row.run_no, row.result), (1, Some(json!(n))));
        }
    }
    assert!(worker.drain().await.clean);
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_stopped_and_retried() {
    let db = Db::new().await;
    let bench = Bench::new(|_, run| async move {
        if run.attempt == 1 {
            run.cancelled().cancelled().await;
            return Err("stopped".into());
        }
        Ok(Done::Completed)
    });
    let worker = db.worker(&bench).await;
    let id = db
        .put(Step::job(1).timeout(Duration::from_millis(100)))
        .await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(row.attempt, 2);
    assert_eq!(row.errors[0]["code"], "timeout");
    worker.drain().await;
}

#[tokio::test]
async fn an_old_name_of_a_kind_still_runs_and_an_unknown_kind_is_left_alone() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let old = db.put(Step::job(1)).await;
    let foreign = db.put(Step::job(2).priority(-1)).await;
    for (id, kind) in [(old, "old_step"), (foreign, "someone_elses")] {
        sqlx::query("update queue.job set kind = $2 where id = $1")
            .bind(id)
            .bind(kind)
            .execute(&db.pool)
            .await
            .expect("updated");
    }
    let worker = db.worker(&bench).await;
    db.reaches(old, State::Completed).await;
    assert_eq!(db.job(foreign).await.state, State::Available);
    worker.drain().await;
}

#[tokio::test]
async fn progress_is_written_and_never_falls_within_a_run() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let go = std::sync::Arc::new(tokio::sync::Notify::new());
    let bench = Bench::new({
        let go = go.clone();
        move |_, run| {
            let (said, go) = (said.clone(), go.clone());
            async move {
                for percent in [10.0, 50.0, 30.0, f32::NAN] {
                    run.progress(percent, "encoding");
                }
                said.send(()).expect("the test listens");
                go.notified().await;
                run.progress(100.0, "done");
                Ok(Done::Completed)
            }
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    crate::harness::next(&mut heard).await;
    let seen = AtomicI64::new(0);
    let mut tick = tokio::time::interval(Duration::from_millis(10));
    let look = async {
        loop {
            tick.tick().await;
            if let Some(progress) = Progress::of_job(&db.pool, id).await.expect("readable") {
                assert_eq!(progress.run_no, 1);
                assert!(
                    progress.n > seen.swap(progress.n, Ordering::SeqCst)
                        || progress.percent <= 100.0
                );
                if progress.percent >= 50.0 {
                    return progress;
                }
            }
        }
    };
    let progress = tokio::time::timeout(Duration::from_secs(5), look)
        .await
        .expect("written");
    assert_eq!(
        (progress.percent, progress.stage.as_str()),
        (50.0, "encoding")
    );
    go.notify_one();
    db.reaches(id, State::Completed).await;
    worker.drain().await;
    let last = Progress::of_job(&db.pool, id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(
        (last.percent, last.stage.as_str()),
        (100.0, "done"),
        "the last report is never lost"
    );
}

#[tokio::test]
async fn what_brings_its_tools_down_is_quarantined() {
    let db = Db::new().await;
    let mut bench = Bench::new(|_, _| async {
        Err(Failure::quarantine("it crashed the encoder twice").with_code("crashed"))
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1).on_failure(Mourn::job("step"))).await;
    let row = db.reaches(id, State::Quarantined).await;
    assert_eq!(row.code.as_deref(), Some("crashed"));
    assert_eq!(row.reason.as_deref(), Some("it crashed the encoder twice"));
    let note = bench.next_mourner().await.failure.expect("a note");
    assert_eq!(note.state, State::Quarantined);
    worker.drain().await;
}

#[tokio::test]
async fn runs_that_advance_are_never_one_too_many() {
    let db = Db::new().await;
    let pool = db.pool.clone();
    // Three attempts; ten runs that advance and fail, then three that only fail.
    let bench = Bench::new(move |_, run| {
        let pool = pool.clone();
        async move {
            if run.run_no <= 10 {
                let mut tx = pool.begin().await?;
                run.advance(&mut tx).await?;
                run.advance(&mut tx).await?;
                tx.commit().await?;
            }
            Err(Failure::Retry("not today".into()))
        }
    });
    let worker = db.worker(&bench).await;
    let backoff = Backoff::new(Duration::from_millis(1), 1.0, Duration::from_millis(1));
    let id = db.put(Step::job(1).backoff(backoff)).await;
    let row = db.reaches(id, State::Discarded).await;
    // The tenth run counts as the first attempt of those that change nothing.
    assert_eq!((row.run_no, row.attempt), (12, 3));
    worker.drain().await;
}
