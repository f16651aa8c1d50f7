//! Committing an effect together with the completion.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use millrace_queue::{Done, Failure, LeaseError, Outcome, Run, State, Wake, enqueue};
use serde_json::json;
use sqlx::PgPool;

use crate::harness::{Bench, Db, Step, sql};

/// Adds a row and completes, in one transaction.
async fn pay(pool: &PgPool, run: &Run, n: i64, fail: bool) -> Outcome {
    run.complete(pool, async |tx| {
        sqlx::query("insert into ledger values ($1)")
            .bind(n)
            .execute(&mut *tx)
            .await?;
        if fail {
            return Err(Failure::from("the bank is closed"));
        }
        Ok(Wake::none())
    })
    .await
}

async fn ledger(db: &Db) -> i64 {
    sqlx::query_scalar("select count(*) from ledger")
        .fetch_one(&db.pool)
        .await
        .expect("readable")
}

#[tokio::test]
async fn effect_and_completion_commit_together() {
    let db = Db::new().await;
    sql(&mut *db.conn().await, "create table ledger (n bigint)").await;
    let bench = Bench::new({
        let pool = db.pool.clone();
        move |step, run| {
            let pool = pool.clone();
            async move { pay(&pool, &run, step.n, run.attempt < 3).await }
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(row.attempt, 3);
    assert_eq!(row.errors[0]["error"], "the bank is closed");
    assert_eq!(ledger(&db).await, 1, "failed tries left nothing");
    assert!(worker.drain().await.clean);
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_completion_may_enqueue_what_follows() {
    let db = Db::new().await;
    let bench = Bench::new({
        let pool = db.pool.clone();
        move |step, run| {
            let pool = pool.clone();
            async move {
                if step.n >= 5 {
                    return Ok(Done::Completed);
                }
                run.complete(&pool, async |tx| {
                    Ok::<_, Failure>(
                        enqueue(tx, Step::job(step.n + 1).after(&[run.id]))
                            .await?
                            .wake,
                    )
                })
                .await
            }
        }
    });
    // A long poll: only the wake of the completion carries the chain on in time.
    let worker = db
        .worker_with(&bench, |o| o.poll = std::time::Duration::from_secs(10))
        .await;
    let mut conn = db.conn().await;
    enqueue(&mut conn, Step::job(0))
        .await
        .expect("enqueued")
        .wake
        .fire(&worker.notifier);
    let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
    let done = async {
        loop {
            tick.tick().await;
            let ended: i64 =
                sqlx::query_scalar("select count(*) from queue.history where state = 'completed'")
                    .fetch_one(&db.pool)
                    .await
                    .expect("readable");
            if ended == 6 {
                return;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(8), done)
        .await
        .expect("carried on");
    worker.drain().await;
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn a_lost_lease_commits_nothing() {
    let db = Db::new().await;
    sql(&mut *db.conn().await, "create table ledger (n bigint)").await;
    let losses = Arc::new(AtomicI64::new(0));
    let bench = Bench::new({
        let (pool, losses) = (db.pool.clone(), losses.clone());
        move |step, run| {
            let (pool, losses) = (pool.clone(), losses.clone());
            async move {
                if run.run_no == 1 {
                    // What a rescue does while this process is stopped.
                    sqlx::query("update queue.job set state = 'available', token = null, worker_id = null, lease_until = null where id = $1")
                        .bind(run.id).execute(&pool).await?;
                    let mut conn = pool.acquire().await?;
                    if matches!(run.fence(&mut conn).await, Err(LeaseError::Lost)) {
                        losses.fetch_add(1, Ordering::SeqCst);
                    }
                    if matches!(
                        run.save_checkpoint(&mut conn, json!(1)).await,
                        Err(LeaseError::Lost)
                    ) {
                        losses.fetch_add(1, Ordering::SeqCst);
                    }
                    let outcome = pay(&pool, &run, step.n, false).await;
                    assert!(outcome.is_err());
                    return outcome;
                }
                pay(&pool, &run, step.n, false).await
            }
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!((row.run_no, row.checkpoint), (2, None));
    assert_eq!(row.errors, json!([]), "the zombie wrote nothing");
    assert_eq!(losses.load(Ordering::SeqCst), 2);
    assert_eq!(ledger(&db).await, 1);
    worker.drain().await;
}

#[tokio::test]
async fn a_checkpoint_reaches_the_next_run() {
    let db = Db::new().await;
    let bench = Bench::new({
        let pool = db.pool.clone();
        move |_, run| {
            let pool = pool.clone();
            async move {
                let seen = run
                    .checkpoint
                    .as_ref()
                    .and_then(serde_json::Value::as_i64)
                    .unwrap_or(0);
                if seen == 2 {
                    return Ok(Done::CompletedWith(json!(seen)));
                }
                let mut conn = pool.acquire().await?;
                run.fence(&mut conn).await?;
                run.save_checkpoint(&mut conn, json!(seen + 1)).await?;
                Err("not done yet".into())
            }
        }
    });
    let worker = db.worker(&bench).await;
    let id = db.put(Step::job(1)).await;
    assert_eq!(
        db.reaches(id, State::Completed).await.result,
        Some(json!(2))
    );
    worker.drain().await;
}
