//! Unique keys: scopes, states and modes; and enqueueing from SQL alone.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_queue::{
    Done, Enqueued, JobId, NewJob, Scope, State, UniqueKey, enqueue, enqueue_all,
};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::harness::{Bench, Db, Log, Step};

const HOUR: Duration = Duration::from_secs(3600);

async fn put(db: &Db, job: NewJob) -> Enqueued {
    let mut conn = db.conn().await;
    enqueue(&mut conn, job).await.expect("enqueued")
}

#[tokio::test]
async fn a_scope_decides_what_is_the_same() {
    let db = Db::new().await;
    let scope = Scope::kind().args();
    let first = put(&db, Step::job(1).unique_within(&scope)).await;
    let same = put(&db, Step::job(1).unique_within(&scope)).await;
    let other = put(&db, Step::job(2).unique_within(&scope)).await;
    assert_eq!((first.new, same.new, other.new), (true, false, true));
    assert_eq!(same.id, first.id);
    let (ann, bob) = (Uuid::now_v7(), Uuid::now_v7());
    let owner = Scope::kind().owner();
    let mine = |owner_id| Step::job(3).owner(owner_id).unique_within(&owner);
    assert!(put(&db, mine(ann)).await.new);
    assert!(put(&db, mine(bob)).await.new);
    assert!(!put(&db, mine(ann)).await.new);
}

#[tokio::test]
async fn a_holder_that_has_not_started_takes_over() {
    let db = Db::new().await;
    let key = || UniqueKey::until_done("report").replacing();
    let first = put(&db, Step::job(1).delay(HOUR).unique(key())).await;
    let second = put(&db, Step::job(2).priority(-7).unique(key())).await;
    assert!(!second.new && second.replaced);
    assert_eq!(second.id, first.id);
    let row = db.job(first.id).await;
    assert_eq!(
        (row.args, row.state, row.priority),
        (json!({"n": 2}), State::Available, -7)
    );
    // Once it runs, the next one waits for itself.
    db.claim_for_nobody(first.id, 60_000).await;
    let third = put(&db, Step::job(3).unique(key())).await;
    assert!(third.new && !third.replaced && third.id != first.id);
    let fourth = put(&db, Step::job(4).unique(key())).await;
    assert!(fourth.replaced && fourth.id == third.id);
    assert_eq!(db.job(first.id).await.args, json!({"n": 2}));
}

#[tokio::test]
async fn a_burst_is_put_off_and_not_for_ever() {
    let db = Db::new().await;
    let job = |n| {
        let key = UniqueKey::until_done("index").debouncing(Duration::from_secs(90));
        Step::job(n).delay(Duration::from_secs(60)).unique(key)
    };
    let first = put(&db, job(1)).await;
    let before = db.job(first.id).await;
    let last = put(&db, job(2)).await;
    assert!(last.replaced);
    let after = db.job(first.id).await;
    assert!(after.run_at > before.run_at && after.state == State::Scheduled);
    assert_eq!(after.args, json!({"n": 2}));
    sqlx::query("update queue.job set created_at = created_at - interval '80 seconds'")
        .execute(&db.pool)
        .await
        .expect("older");
    put(&db, job(3)).await;
    let row = db.job(first.id).await;
    assert_eq!(row.run_at, row.created_at + TimeDelta::seconds(90));
    assert!(row.run_at < Utc::now() + TimeDelta::seconds(30));
}

#[tokio::test]
async fn only_the_states_that_are_named_hold_a_key() {
    let db = Db::new().await;
    let queued = || {
        UniqueKey::until_done("sync").while_in([
            State::Scheduled,
            State::Available,
            State::Retryable,
        ])
    };
    let first = put(&db, Step::job(1).unique(queued())).await;
    assert!(!put(&db, Step::job(1).unique(queued())).await.new);
    db.claim_for_nobody(first.id, 60_000).await;
    let second = put(&db, Step::job(1).unique(queued())).await;
    assert!(second.new, "a running job holds nothing here");
    // The end of the first must not let go of what the second holds.
    let mut conn = db.conn().await;
    let ended = millrace_queue::discard(&mut conn, first.id, "test").await;
    assert!(ended.expect("discarded").done);
    assert!(!put(&db, Step::job(1).unique(queued())).await.new);
    // Ended ones may count, within a period.
    let once =
        || UniqueKey::for_period("daily", HOUR).while_in([State::Available, State::Completed]);
    let done = put(&db, Step::job(2).unique(once())).await.id;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let worker = db.worker(&bench).await;
    db.reaches(done, State::Completed).await;
    let again = put(&db, Step::job(2).unique(once())).await;
    assert_eq!((again.new, again.id), (false, done));
    worker.drain().await;
}

#[tokio::test]
async fn duplicates_between_processes_make_one_job() {
    let db = Db::new().await;
    let mut asked = Vec::new();
    for n in 0..64 {
        let pool = db.pool.clone();
        asked.push(tokio::spawn(async move {
            let mut ids = Vec::new();
            for key in 0..20 {
                let unique = UniqueKey::until_done(format!("key {key}"));
                let unique = if n % 2 == 0 {
                    unique
                } else {
                    unique.replacing()
                };
                ids.push(until_placed(&pool, Step::job(n).unique(unique)).await);
            }
            ids
        }));
    }
    let mut all = std::collections::HashSet::new();
    for task in asked {
        all.extend(task.await.expect("no panic"));
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from queue.job")
        .fetch_one(&db.pool)
        .await
        .expect("readable");
    assert_eq!((all.len(), rows), (20, 20));
}

async fn until_placed(pool: &PgPool, job: NewJob) -> JobId {
    let mut conn = pool.acquire().await.expect("a connection");
    enqueue(&mut conn, job).await.expect("enqueued").id
}

#[tokio::test]
async fn sql_alone_enqueues() {
    let db = Db::new().await;
    let log = Log::default();
    let done = log.clone();
    let bench = Bench::new(move |step, _| {
        done.push(step.n);
        async { Ok(Done::Completed) }
    });
    let worker = db
        .worker_with(&bench, |o| o.poll = Duration::from_secs(30))
        .await;
    let id = |text: &'static str| {
        let pool = db.pool.clone();
        async move {
            sqlx::query_scalar::<_, Uuid>(text)
                .fetch_one(&pool)
                .await
                .map(JobId)
        }
    };
    let first = id(
        r#"select queue.enqueue('step', '{"n": 1}', '{"wake": true, "tags": ["sql"], "unique_key": "k"}')"#,
    );
    let first = first.await.expect("enqueued");
    assert_eq!(db.reaches(first, State::Completed).await.max_attempts, 3);
    let later = id(
        r#"select queue.enqueue('step', '{"n": 2}', '{"delay_ms": 3600000, "priority": 5, "unique_key": "k"}')"#,
    );
    let later = later.await.expect("enqueued");
    let row = db.job(later).await;
    assert_eq!((row.state, row.priority), (State::Scheduled, 5));
    let same = id(
        r#"select queue.enqueue('step', '{"n": 3}', '{"unique_key": "k", "unique_mode": "replace", "wake": true}')"#,
    );
    assert_eq!(same.await.expect("enqueued"), later);
    db.reaches(later, State::Completed).await;
    assert_eq!(log.all(), [1, 3]);

    // Dependencies, in a transaction that is then undone and in one that is not.
    let parent = db.put(Step::job(4).delay(HOUR)).await;
    let child: Uuid = sqlx::query_scalar(
        "select queue.enqueue('step', '{\"n\": 5}', jsonb_build_object('after', jsonb_build_array($1::uuid, $2::uuid)))",
    )
    .bind(parent)
    .bind(first)
    .fetch_one(&db.pool)
    .await
    .expect("enqueued");
    assert_eq!(db.job(JobId(child)).await.state, State::Waiting);
    let mut conn = db.conn().await;
    let gone = millrace_queue::discard(&mut conn, parent, "test").await;
    assert!(gone.expect("discarded").done);
    assert_eq!(db.job(JobId(child)).await.state, State::Cancelled);
    let orphan: Uuid = sqlx::query_scalar(
        "select queue.enqueue('step', '{\"n\": 6}', jsonb_build_object('after', jsonb_build_array($1::uuid)))",
    )
    .bind(parent)
    .fetch_one(&db.pool)
    .await
    .expect("enqueued");
    assert_eq!(db.job(JobId(orphan)).await.state, State::Cancelled);
    worker.drain().await;
}

#[tokio::test]
async fn sql_refuses_what_it_does_not_know() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    db.worker(&bench).await.drain().await;
    for (text, said) in [
        ("select queue.enqueue('nonsense')", "kind nonsense"),
        ("select queue.enqueue('step', '[]')", "JSON object"),
        ("select queue.enqueue('step', null)", "JSON object"),
        (
            r#"select queue.enqueue('step', '{}', '{"delay": 1}')"#,
            "option delay",
        ),
        (
            r#"select queue.enqueue('step', '{}', '{"unique_mode": "often"}')"#,
            "not often",
        ),
        (
            r#"select queue.enqueue('step', '{}', '{"after": ["01a206c3-514a-715f-a2e6-87d4c94b013c"]}')"#,
            "no job 01a206c3",
        ),
    ] {
        let error = sqlx::query(text).execute(&db.pool).await.expect_err(text);
        let error = error.into_database_error().expect("the database's");
        assert_eq!(error.code().as_deref(), Some("22023"), "{text}");
        assert!(error.message().contains(said), "{}", error.message());
    }
    assert!(db.is_empty().await);
}

#[tokio::test]
async fn the_first_of_a_call_has_the_key() {
    let db = Db::new().await;
    let key = || UniqueKey::until_done("one").replacing();
    let jobs = vec![Step::job(1).unique(key()), Step::job(2).unique(key())];
    let mut conn = db.conn().await;
    let placed = enqueue_all(&mut conn, jobs).await.expect("enqueued").ids;
    assert!(placed[0].new && !placed[1].new);
    assert_eq!(placed[0].id, placed[1].id);
}
