//! One action on all jobs of a filter.

use std::time::Duration;

use millrace_queue::{
    Bulk, BulkAction, BulkCount, BulkResult, Done, Failure, JobFilter, JobId, JobRow, LogLine,
    NewJob, State, UniqueKey, enqueue_all, request_cancel, retry,
};
use sqlx::{Connection as _, PgConnection};
use tokio::{sync::mpsc, time::timeout};

use crate::harness::{Bench, Db, Log, PATIENCE, Step, next};

const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn bulk(action: BulkAction, filter: JobFilter) -> Bulk {
    Bulk {
        action,
        filter,
        by: Some("eve".to_owned()),
        reason: None,
    }
}

pub(crate) fn tagged(tag: &str) -> JobFilter {
    JobFilter {
        tag: Some(tag.to_owned()),
        ..JobFilter::default()
    }
}

pub(crate) fn steps(range: std::ops::Range<i64>, tag: &str) -> Vec<NewJob> {
    range.map(|n| Step::job(n).tag(tag)).collect()
}

pub(crate) async fn put_all(db: &Db, all: Vec<NewJob>) -> Vec<JobId> {
    let ids = all.iter().map(NewJob::id).collect();
    let mut conn = db.conn().await;
    drop(enqueue_all(&mut conn, all).await.expect("enqueued"));
    ids
}

/// Ends everything that is live, as if runs had failed for good.
pub(crate) async fn discard_everything(db: &Db) {
    sqlx::query(
        "select queue.end_jobs(ids, array_fill(null::uuid, array[n]), array_fill('discarded'::queue.state, array[n]),
                array_fill('broken'::text, array[n]), array_fill('The disk was full'::text, array[n]),
                array_fill(null::jsonb, array[n]), array_fill(null::jsonb, array[n]))
           from (select array_agg(id) as ids, count(*)::integer as n from queue.job) as j",
    )
    .execute(&db.pool)
    .await
    .expect("ended");
}

fn result(row: &JobRow) -> BulkResult {
    let result = row.result.clone().expect("a result");
    serde_json::from_value(result).expect("that of a bulk job")
}

async fn number(db: &Db, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(&db.pool)
        .await
        .expect("readable")
}

/// Looks again and again until it holds.
async fn eventually(mut holds: impl AsyncFnMut() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    let waited = timeout(PATIENCE, async {
        while !holds().await {
            tick.tick().await;
        }
    });
    waited.await.expect("it comes to that");
}

/// Waits until the checkpoint of a bulk job says that it has changed so many.
async fn has_changed(db: &Db, id: JobId, changed: u64) {
    eventually(async || {
        let checkpoint = db.job(id).await.checkpoint;
        checkpoint.is_some_and(|place| place["changed"] == changed)
    })
    .await;
}

/// A transaction that keeps others from touching a live job.
async fn hold(conn: &mut PgConnection, id: JobId) -> sqlx::Transaction<'_, sqlx::Postgres> {
    let mut tx = conn.begin().await.expect("begun");
    sqlx::query("select from queue.job where id = $1 for update")
        .bind(id)
        .execute(&mut *tx)
        .await
        .expect("locked");
    tx
}

#[tokio::test]
async fn a_retry_runs_each_job_once_more_and_never_what_fails_again() {
    let db = Db::new().await;
    let log = Log::default();
    let ran = log.clone();
    let bench = Bench::new(move |step, _| {
        ran.push(step.n);
        async { Err(Failure::fail("still broken")) }
    });
    let mut all = steps(0..1_200, "batch");
    all.extend(steps(1_200..1_203, "other"));
    put_all(&db, all).await;
    discard_everything(&db).await;
    let mut conn = db.conn().await;
    let wanted = bulk(BulkAction::Retry, tagged("batch"));
    let count = wanted.count(&mut conn).await.expect("counted");
    assert_eq!(
        count,
        BulkCount {
            count: 1_200,
            capped: false
        }
    );

    let worker = db.worker(&bench).await;
    let id = db.put(NewJob::new(&wanted)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1_200,
            skipped: 0
        }
    );
    // All of them fail again, and that is that.
    eventually(async || db.is_empty().await).await;
    let mut ran = log.all();
    ran.sort_unstable();
    assert!(ran.iter().copied().eq(0..1_200), "{} runs", ran.len());
    worker.drain().await;
}

#[tokio::test]
async fn a_killed_bulk_job_goes_on_where_it_was() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let all = steps(0..1_200, "flood")
        .into_iter()
        .map(|job| job.delay(HOUR));
    let ids = put_all(&db, all.collect()).await;
    let mut locker = db.conn().await;
    let lock = hold(&mut locker, ids[700]).await;
    let worker = db.worker(&bench).await;
    let id = db
        .put(NewJob::new(&bulk(BulkAction::Cancel, tagged("flood"))))
        .await;
    has_changed(&db, id, 500).await;
    worker.crash().await;
    lock.rollback().await.expect("let go");

    let worker = db.worker(&bench).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(row.run_no, 2);
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1_200,
            skipped: 0
        }
    );
    assert_eq!(
        number(
            &db,
            "select sum(n)::bigint from queue.tally where state = 'cancelled'"
        )
        .await,
        1_200
    );
    assert_eq!(
        number(
            &db,
            "select count(*) from queue.history where kind = 'step' and reason = 'cancelled by eve'"
        )
        .await,
        1_200
    );
    assert!(db.is_empty().await);
    worker.drain().await;
}

#[tokio::test]
async fn a_cancelled_bulk_job_stops_between_two_batches_and_a_retry_does_the_rest() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let all = steps(0..1_200, "flood")
        .into_iter()
        .map(|job| job.delay(HOUR));
    let ids = put_all(&db, all.collect()).await;
    let mut locker = db.conn().await;
    let lock = hold(&mut locker, ids[700]).await;
    let worker = db.worker(&bench).await;
    let id = db
        .put(NewJob::new(&bulk(BulkAction::Discard, tagged("flood"))))
        .await;
    has_changed(&db, id, 500).await;
    let mut conn = db.conn().await;
    let answer = request_cancel(&mut conn, id, "enough")
        .await
        .expect("requested");
    answer.wake.fire(&worker.notifier);
    // It is told before it can go on.
    let told = "select count(*) from queue.job where cancel_delivered_at is not null";
    eventually(async || number(&db, told).await == 1).await;
    lock.rollback().await.expect("let go");
    db.reaches(id, State::Cancelled).await;
    let left = number(&db, "select count(*) from queue.job where kind = 'step'").await;
    assert!(left == 200 || left == 700, "{left}");

    assert!(retry(&mut conn, id).await.expect("retried").done);
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1_200,
            skipped: 0
        }
    );
    assert!(db.is_empty().await);
    assert!(
        !retry(&mut conn, id).await.expect("asked").done,
        "what is done is not done again"
    );
    worker.drain().await;
}

#[tokio::test]
async fn two_of_the_same_touch_each_job_once() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let all = steps(0..1_500, "flood")
        .into_iter()
        .map(|job| job.delay(HOUR));
    put_all(&db, all.collect()).await;
    let wanted = bulk(BulkAction::Cancel, tagged("flood"));
    let twins = put_all(&db, vec![NewJob::new(&wanted), NewJob::new(&wanted)]).await;
    let worker = db.worker(&bench).await;
    let mut changed = 0;
    for id in twins {
        changed += result(&db.reaches(id, State::Completed).await).changed;
    }
    assert_eq!(changed, 1_500);
    assert_eq!(
        number(
            &db,
            "select sum(n)::bigint from queue.tally where state = 'cancelled'"
        )
        .await,
        1_500
    );
    worker.drain().await;
}

#[tokio::test]
async fn a_bulk_job_spares_itself_and_its_like() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let of_queue = JobFilter {
        queue: Some("default".to_owned()),
        ..JobFilter::default()
    };
    let victim = db.put(Step::job(1).delay(HOUR)).await;
    let later = NewJob::new(&bulk(BulkAction::Discard, of_queue.clone())).delay(HOUR);
    let later = db.put(later).await;
    let wanted = bulk(BulkAction::Cancel, of_queue.clone());
    let mut conn = db.conn().await;
    assert_eq!(wanted.count(&mut conn).await.expect("counted").count, 1);
    let worker = db.worker(&bench).await;
    let id = db.put(NewJob::new(&wanted)).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1,
            skipped: 0
        }
    );
    assert_eq!(db.job(victim).await.state, State::Cancelled);
    assert_eq!(db.job(later).await.state, State::Scheduled);
    // By name it is another matter, but for itself.
    let named = JobFilter {
        kind: Some("queue.bulk".to_owned()),
        ..JobFilter::default()
    };
    let id = db.put(NewJob::new(&bulk(BulkAction::Cancel, named))).await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1,
            skipped: 0
        }
    );
    assert_eq!(db.job(later).await.state, State::Cancelled);
    worker.drain().await;
}

#[tokio::test]
async fn a_filter_that_leaves_nothing_out_or_cannot_be_read_is_refused() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let worker = db.worker(&bench).await;
    let bystander = db.put(Step::job(1).delay(HOUR)).await;
    let id = db
        .put(NewJob::new(&bulk(
            BulkAction::Discard,
            JobFilter::default(),
        )))
        .await;
    let row = db.reaches(id, State::Discarded).await;
    assert_eq!(row.code.as_deref(), Some("empty_filter"));
    // From another language, with a slip of the pen.
    let id: uuid::Uuid = sqlx::query_scalar(
        r#"select queue.enqueue('queue.bulk', '{"action": "discard", "filter": {"que": "default"}}')"#,
    )
    .fetch_one(&db.pool)
    .await
    .expect("enqueued");
    let row = db.reaches(JobId(id), State::Discarded).await;
    assert_eq!(row.code.as_deref(), Some("undecodable"));
    assert_eq!(db.job(bystander).await.state, State::Scheduled);
    worker.drain().await;
}

#[tokio::test]
async fn jobs_that_moved_on_or_whose_key_is_taken_are_skipped() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, _| {
        said.send(step.n).expect("the test listens");
        async { Ok(Done::Completed) }
    });
    let same = |n| {
        Step::job(n)
            .tag("batch")
            .unique(UniqueKey::until_done("same"))
    };
    for n in 1..=3 {
        db.put(same(n)).await;
        discard_everything(&db).await;
    }
    let held = Step::job(4)
        .tag("batch")
        .unique(UniqueKey::until_done("held"));
    db.put(held).await;
    discard_everything(&db).await;
    db.put(
        Step::job(5)
            .delay(HOUR)
            .unique(UniqueKey::until_done("held")),
    )
    .await;
    let worker = db.worker(&bench).await;
    let id = db
        .put(NewJob::new(&bulk(BulkAction::Retry, tagged("batch"))))
        .await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 1,
            skipped: 3
        }
    );
    assert_eq!(next(&mut heard).await, 1, "the oldest has the key");
    worker.drain().await;
    assert!(heard.try_recv().is_err());
}

#[tokio::test]
async fn a_bad_row_is_left_out_and_does_not_keep_the_others() {
    let db = Db::new().await;
    let bench = Bench::new(|_, _| async { Ok(Done::Completed) });
    let all = steps(0..3, "flood").into_iter().map(|job| job.delay(HOUR));
    let ids = put_all(&db, all.collect()).await;
    // Cannot be inserted when its job is cancelled.
    sqlx::query(r#"update queue.job set on_failure = '{"args": {}}' where id = $1"#)
        .bind(ids[1])
        .execute(&db.pool)
        .await
        .expect("broken");
    let worker = db.worker(&bench).await;
    let id = db
        .put(NewJob::new(&bulk(BulkAction::Cancel, tagged("flood"))))
        .await;
    let row = db.reaches(id, State::Completed).await;
    assert_eq!(
        result(&row),
        BulkResult {
            changed: 2,
            skipped: 1
        }
    );
    assert_eq!(db.job(ids[1]).await.state, State::Scheduled);
    worker.drain().await;
    let log = LogLine::of_job(&db.pool, id, (0, 0), 10)
        .await
        .expect("readable");
    let named = format!("job {} is left as it is", ids[1]);
    assert!(log[0].line.starts_with(&named), "{log:?}");
}

#[tokio::test]
async fn running_jobs_are_asked_to_stop_or_ended_by_force() {
    let db = Db::new().await;
    let (said, mut heard) = mpsc::unbounded_channel();
    let bench = Bench::new(move |step, run| {
        let said = said.clone();
        async move {
            said.send(step.n).expect("the test listens");
            run.cancelled().cancelled().await;
            said.send(-step.n).expect("the test listens");
            Err(Failure::from("told to stop"))
        }
    });
    let worker = db.worker(&bench).await;
    for (n, action, state) in [
        (1, BulkAction::Cancel, State::Cancelled),
        (2, BulkAction::Discard, State::Discarded),
    ] {
        let job = db.put(Step::job(n).tag("slow")).await;
        assert_eq!(next(&mut heard).await, n);
        let mut wanted = bulk(action, tagged("slow"));
        wanted.reason = Some("it hangs".to_owned());
        let id = db.put(NewJob::new(&wanted)).await;
        let row = db.reaches(id, State::Completed).await;
        assert_eq!(
            result(&row),
            BulkResult {
                changed: 1,
                skipped: 0
            }
        );
        assert_eq!(next(&mut heard).await, -n);
        let reason = db.reaches(job, state).await.reason;
        assert_eq!(reason, Some(format!("{state} by eve: it hangs")));
    }
    worker.drain().await;
}
