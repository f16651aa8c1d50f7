//! Bad rows among good ones.

use std::time::Duration;

use millrace_queue::{
    Backoff, EnqueueError, JobId, JobSpec, NewJob, State, UniqueKey, enqueue_all, enqueue_each,
    jobs_of,
};
use serde_json::json;
use sqlx::Connection as _;

use crate::harness::{Bench, Db, Mourn, Step};

#[tokio::test]
async fn bad_rows_are_left_out_and_named() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let there = db.put(Step::job(0)).await;
    let nowhere = JobId::new();
    let bad = Step::job(1).limit_key("x".repeat(600));
    let child = Step::job(2).after(&[bad.id()]);
    let grandchild = Step::job(3).after_any_outcome(&[child.id()]);
    let (a, b) = (Step::job(4), Step::job(5));
    let (ia, ib) = (a.id(), b.id());
    let twin = Step::job(6);
    let rows = vec![
        (Step::job(10), ""),
        (bad, "limit key"),
        (child, "does not exist"),
        (grandchild, "does not exist"),
        (Step::job(11).after(&[there]), ""),
        (Step::job(12).after(&[nowhere]), "does not exist"),
        (a.after(&[ib]), "circle"),
        (b.after(&[ia]), "circle"),
        (Step::job(13).with_id(there), "already"),
        (twin.clone(), ""),
        (twin, "already"),
        (Step::job(14).tag("\0"), "\\u0000"),
        (Step::job(15).queue(""), "queue"),
        (Step::job(16).traceparent("\0"), "trace"),
        (Step::job(17).delay(Duration::MAX), "1000 years"),
        (
            Step::job(18).run_at(chrono::DateTime::<chrono::Utc>::MAX_UTC),
            "9999",
        ),
        (
            Step::job(19).unique(UniqueKey::for_period("long", Duration::MAX)),
            "1000 years",
        ),
        (
            Step::job(20).unique(
                UniqueKey::until_done("put off").debouncing(Duration::from_secs(u64::MAX / 4)),
            ),
            "1000 years",
        ),
        (
            Step::job(21).backoff(Backoff {
                factor: f64::NAN,
                ..Backoff::NONE
            }),
            "finite",
        ),
        (Step::job(22).on_failure(Mourn::job("\0")), "on_failure"),
        (Step::job(23).unique(UniqueKey::until_done("k")), ""),
        (Step::job(24).unique(UniqueKey::until_done("k")), ""),
        (
            Step::job(25).run_at("9999-12-31T00:00:00Z".parse().expect("a time")),
            "",
        ),
    ];
    let (all, said): (Vec<NewJob>, Vec<&str>) = rows.into_iter().unzip();
    let ids: Vec<JobId> = all.iter().map(NewJob::id).collect();
    // All or nothing, without an abortion of the caller's transaction.
    let mut tx = conn.begin().await.expect("begun");
    assert!(enqueue_all(&mut tx, all.clone()).await.is_err());
    let answer = enqueue_each(&mut tx, all)
        .await
        .expect("the good ones are in");
    tx.commit().await.expect("committed");

    let wrong: Vec<usize> = answer.bad().map(|(index, _)| index).collect();
    let expected: Vec<usize> = (0..said.len()).filter(|&n| !said[n].is_empty()).collect();
    assert_eq!(wrong, expected);
    for (index, error) in answer.bad() {
        let error = error.to_string();
        assert!(error.contains(said[index]), "{index}: {error}");
    }
    assert!(matches!(
        answer.rows[1],
        Err(EnqueueError::Arguments { .. })
    ));
    assert!(matches!(answer.rows[8], Err(EnqueueError::TakenId(id)) if id == there));
    assert!(
        matches!(answer.rows[5], Err(EnqueueError::UnknownParent(_, parent)) if parent == nowhere)
    );
    let holder = answer.rows[21]
        .as_ref()
        .expect("a key that is taken is no error");
    assert_eq!((holder.id, holder.new), (ids[20], false));
    let states: Vec<(JobId, State)> =
        sqlx::query_as("select id, state from queue.job where id <> $1 order by id")
            .bind(there)
            .fetch_all(&db.pool)
            .await
            .expect("readable");
    let expected = [
        (ids[0], State::Available),
        (ids[4], State::Waiting),
        (ids[9], State::Available),
        (ids[20], State::Available),
        (ids[22], State::Scheduled),
    ];
    let mut expected = expected.to_vec();
    expected.sort_unstable_by_key(|job| job.0);
    assert_eq!(states, expected);
}

#[tokio::test]
async fn good_rows_alone_are_all_in() {
    let db = Db::new().await;
    let mut conn = db.conn().await;
    let all = NewJob::chain([Step::job(1), Step::job(2), Step::job(3)]);
    let ids: Vec<JobId> = all.iter().map(NewJob::id).collect();
    let answer = enqueue_each(&mut conn, all).await.expect("enqueued");
    assert_eq!(answer.bad().count(), 0);
    let placed: Vec<JobId> = answer.rows.iter().flatten().map(|row| row.id).collect();
    assert_eq!(placed, ids);
    assert_eq!(db.job(ids[2]).await.state, State::Waiting);
    let none = enqueue_each(&mut conn, Vec::new())
        .await
        .expect("nothing to do");
    assert!(none.rows.is_empty());
}

#[tokio::test]
async fn jobs_from_json_have_the_policy_of_their_kind_and_their_own_wishes() {
    let db = Db::new().await;
    // A worker registers the kinds.
    let bench = Bench::new(|_, _| async { Ok(millrace_queue::Done::Completed) });
    db.worker_with(&bench, |options| {
        options.queues = vec![("none".to_owned(), 1)];
    })
    .await
    .drain()
    .await;
    let parent = db.put(Step::job(0)).await;
    let specs = [
        json!({"kind": "step", "args": {"n": 1}}),
        json!({"kind": "step", "args": {"n": 2}, "options": {
            "queue": "else", "priority": 7, "delay_ms": 60_000, "max_attempts": 9, "timeout_ms": 5, "limit_key": "l:1",
            "tags": ["t"], "meta": {"m": 1}, "unique_key": "u", "unique_mode": "debounce"}}),
        json!({"kind": "nonsense"}),
        json!({"kind": "step", "options": {"after": [parent]}}),
        json!({"kind": "no\u{0}ne"}),
    ];
    let specs: Vec<JobSpec> = specs
        .into_iter()
        .map(|spec| serde_json::from_value(spec).expect("a job"))
        .collect();
    let mut conn = db.conn().await;
    let found = jobs_of(&mut conn, specs).await.expect("readable");
    let unknown: Vec<usize> = (0..5).filter(|&n| found[n].is_err()).collect();
    assert_eq!(unknown, [2, 4]);
    let good: Vec<NewJob> = found.into_iter().flatten().collect();
    let ids: Vec<JobId> = good.iter().map(NewJob::id).collect();
    let answer = enqueue_each(&mut conn, good).await.expect("enqueued");
    assert_eq!(answer.bad().count(), 0);
    let plain = db.job(ids[0]).await;
    assert_eq!(
        (
            plain.queue.as_str(),
            plain.max_attempts,
            plain.args,
            plain.state
        ),
        ("default", 3, json!({"n": 1}), State::Available)
    );
    let wishes = db.job(ids[1]).await;
    assert_eq!(
        (
            wishes.queue.as_str(),
            wishes.priority,
            wishes.max_attempts,
            wishes.state,
            wishes.meta
        ),
        ("else", 7, 9, State::Scheduled, json!({"m": 1}))
    );
    assert_eq!(db.job(ids[2]).await.state, State::Waiting);
}
