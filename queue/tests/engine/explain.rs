//! Why jobs are not running.

use std::time::Duration;

use millrace_queue::{
    Done, JobId, Limit, State, explain, limit_kind, limit_queue, pause_kind, pause_queue,
    request_cancel, resume_kind, resume_queue,
};

use crate::harness::{Bench, Db, Step, sql};

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
