//! What operators and applications do to jobs that exist: cancel, retry, discard.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{JobId, State, Wake, job::millis, state::words};

/// What a request to cancel has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelState {
    /// It was not running and has ended now.
    Cancelled,
    /// It is running; its worker has been asked, and it will not complete any more.
    Requested,
    /// It had ended already, or never existed.
    NotLive,
}

/// The answer of [`request_cancel`].
#[derive(Debug)]
#[must_use = "fire the wake after the commit, or the worker hears of it by its poll only"]
pub struct CancelAnswer {
    pub state: CancelState,
    pub wake: Wake,
}

/// The answer of [`cancel_group`].
#[derive(Debug)]
#[must_use = "fire the wake after the commit, or the workers hear of it by their poll only"]
pub struct CancelledGroup {
    /// Jobs that were not running and have ended now.
    pub cancelled: usize,
    /// Jobs that are running, whose workers have been asked.
    pub requested: usize,
    pub wake: Wake,
}

/// The answer of [`retry`] and [`discard`].
#[derive(Debug)]
#[must_use = "fire the wake after the commit, or workers wait for their poll"]
pub struct Steered {
    /// Whether the job was in a state that allows it.
    pub done: bool,
    pub wake: Wake,
}

/// Cancels a job: at once when it is not running, else by telling its worker. Call it before touching rows of your
/// own in the transaction: jobs are locked first everywhere.
///
/// # Errors
/// Those of the statement.
pub async fn request_cancel(
    conn: &mut PgConnection,
    job: JobId,
    reason: &str,
) -> Result<CancelAnswer, sqlx::Error> {
    let group = cancel(conn, &[job.0], reason).await?;
    let state = match (group.cancelled, group.requested) {
        (0, 0) => CancelState::NotLive,
        (0, _) => CancelState::Requested,
        _ => CancelState::Cancelled,
    };
    Ok(CancelAnswer {
        state,
        wake: group.wake,
    })
}

/// Cancels a job as [`request_cancel`] does. A run that has not stopped `grace` after it was told is dropped; without
/// this, it has 5 s.
///
/// # Errors
/// Those of the statement.
pub async fn request_cancel_within(
    conn: &mut PgConnection,
    job: JobId,
    reason: &str,
    grace: Duration,
) -> Result<CancelAnswer, sqlx::Error> {
    sqlx::query("update queue.job set cancel_grace_ms = $2 where id = $1 and state = 'running'")
        .bind(job)
        .bind(millis(grace))
        .execute(&mut *conn)
        .await?;
    request_cancel(conn, job, reason).await
}

/// Cancels all live jobs of a group. Jobs that are being added to it meanwhile escape.
///
/// # Errors
/// Those of the statements.
pub async fn cancel_group(
    conn: &mut PgConnection,
    group: Uuid,
    reason: &str,
) -> Result<CancelledGroup, sqlx::Error> {
    let ids: Vec<Uuid> = sqlx::query_scalar("select id from queue.job where group_id = $1")
        .bind(group)
        .fetch_all(&mut *conn)
        .await?;
    cancel(conn, &ids, reason).await
}

/// Runs a job again: now, when it waits for its time; from the history with its attempts and crashes forgiven, when it
/// ended unhappily. Its id, errors, checkpoint and `run_no` stay. Refused while another job holds its unique key.
///
/// # Errors
/// Those of the statements.
pub async fn retry(conn: &mut PgConnection, job: JobId) -> Result<Steered, sqlx::Error> {
    let mut steered = retry_live(conn, &[job.0], &[State::Scheduled, State::Retryable]).await?;
    if steered.is_empty() {
        steered = retry_ended(conn, &[job.0], None).await?;
    }
    Ok(steered.into())
}

/// Ends a live job by force, without waiting for its worker: whatever that still writes is refused.
///
/// # Errors
/// Those of the statement.
pub async fn discard(
    conn: &mut PgConnection,
    job: JobId,
    reason: &str,
) -> Result<Steered, sqlx::Error> {
    Ok(discard_all(conn, &[job.0], reason).await?.into())
}

/// What was done to several jobs: one entry for each to which it was done.
#[derive(Debug)]
pub(crate) struct SteeredAll {
    pub(crate) count: usize,
    pub(crate) wake: Wake,
}

impl SteeredAll {
    fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl From<SteeredAll> for Steered {
    fn from(all: SteeredAll) -> Self {
        Self {
            done: !all.is_empty(),
            wake: all.wake,
        }
    }
}

/// Those of `ids` that are live in one of `states`, locked in the order of their ids.
pub(crate) async fn lock(
    conn: &mut PgConnection,
    ids: &[Uuid],
    states: &[State],
) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar(
        "select id from queue.job where id = any($1) and state = any($2::text[]::queue.state[]) order by id for update",
    )
    .bind(ids)
    .bind(words(states))
    .fetch_all(conn)
    .await
}

/// Makes live jobs that wait for their time run now.
pub(crate) async fn retry_live(
    conn: &mut PgConnection,
    ids: &[Uuid],
    states: &[State],
) -> Result<SteeredAll, sqlx::Error> {
    let ids = lock(conn, ids, states).await?;
    let news: Vec<String> = sqlx::query_scalar(
        "update queue.job set state = 'available', run_at = clock_timestamp()
          where id = any($1) returning queue.news(queue, gate)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(SteeredAll {
        count: news.len(),
        wake: Wake::queues(news),
    })
}

/// Brings jobs that ended unhappily, by `ended_by` if there is one, back from the history.
pub(crate) async fn retry_ended(
    conn: &mut PgConnection,
    ids: &[Uuid],
    ended_by: Option<DateTime<Utc>>,
) -> Result<SteeredAll, sqlx::Error> {
    let news: Vec<String> = sqlx::query_scalar(
        "select wake from queue.retry_all_ended($1, coalesce($2, 'infinity'::timestamptz))",
    )
    .bind(ids)
    .bind(ended_by)
    .fetch_all(conn)
    .await?;
    Ok(SteeredAll {
        count: news.len(),
        wake: Wake::queues(news),
    })
}

/// Ends live jobs by force.
pub(crate) async fn discard_all(
    conn: &mut PgConnection,
    ids: &[Uuid],
    reason: &str,
) -> Result<SteeredAll, sqlx::Error> {
    let rows: Vec<(Uuid, Option<Uuid>)> =
        sqlx::query_as("select id, token from queue.job where id = any($1) order by id for update")
            .bind(ids)
            .fetch_all(&mut *conn)
            .await?;
    if rows.is_empty() {
        return Ok(SteeredAll {
            count: 0,
            wake: Wake::none(),
        });
    }
    let (ids, tokens): (Vec<Uuid>, Vec<Option<Uuid>>) = rows.iter().copied().unzip();
    let answer: Vec<(Option<Uuid>, Option<String>)> = sqlx::query_as(
        "select ended, wake from queue.end_jobs($1, $2, array_fill('discarded'::queue.state, array[$4]),
             array_fill('discarded'::text, array[$4]), array_fill($3::text, array[$4]),
             array_fill(null::jsonb, array[$4]), array_fill(null::jsonb, array[$4]))",
    )
    .bind(&ids)
    .bind(&tokens)
    .bind(reason)
    .bind(i32::try_from(ids.len()).unwrap_or(i32::MAX))
    .fetch_all(conn)
    .await?;
    let count = answer.iter().filter(|row| row.0.is_some()).count();
    let mut wake = Wake::queues(answer.into_iter().filter_map(|row| row.1));
    for (id, _) in rows.into_iter().filter(|row| row.1.is_some()) {
        wake.cancel(JobId(id));
    }
    Ok(SteeredAll { count, wake })
}

/// Cancels jobs, at once or by request.
pub(crate) async fn cancel(
    conn: &mut PgConnection,
    ids: &[Uuid],
    reason: &str,
) -> Result<CancelledGroup, sqlx::Error> {
    let rows: Vec<(Option<Uuid>, Option<String>, Option<String>)> =
        sqlx::query_as("select id, outcome, wake from queue.cancel_jobs($1, $2)")
            .bind(ids)
            .bind(reason)
            .fetch_all(conn)
            .await?;
    let mut answer = CancelledGroup {
        cancelled: 0,
        requested: 0,
        wake: Wake::none(),
    };
    for (id, outcome, queue) in rows {
        match (id, outcome.as_deref()) {
            (Some(id), Some("requested")) => {
                answer.requested += 1;
                answer.wake.cancel(JobId(id));
            }
            (Some(_), _) => answer.cancelled += 1,
            (None, _) => {}
        }
        if let Some(queue) = queue {
            answer.wake.queue(queue);
        }
    }
    Ok(answer)
}
