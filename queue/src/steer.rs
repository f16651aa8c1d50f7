//! What operators and applications do to jobs that exist: cancel, retry, discard.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{JobId, State, Wake, job::millis};

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

async fn cancel(
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

/// Runs a job again: now, when it waits for its time; from the history with its attempts and crashes forgiven, when it
/// ended unhappily. Its id, errors, checkpoint and `run_no` stay. Refused while another job holds its unique key.
///
/// # Errors
/// Those of the statements.
pub async fn retry(conn: &mut PgConnection, job: JobId) -> Result<Steered, sqlx::Error> {
    let news: Option<String> = sqlx::query_scalar(
        "update queue.job set state = 'available', run_at = clock_timestamp()
          where id = $1 and state in ('scheduled', 'retryable') returning queue.news(queue, gate)",
    )
    .bind(job)
    .fetch_optional(&mut *conn)
    .await?;
    let news = match news {
        Some(news) => Some(news),
        None => {
            sqlx::query_scalar("select queue.retry_ended($1)")
                .bind(job)
                .fetch_one(conn)
                .await?
        }
    };
    Ok(Steered {
        done: news.is_some(),
        wake: Wake::queues(news),
    })
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
    let row: Option<(Option<Uuid>, State)> =
        sqlx::query_as("select token, state from queue.job where id = $1 for update")
            .bind(job)
            .fetch_optional(&mut *conn)
            .await?;
    let Some((token, state)) = row else {
        return Ok(Steered {
            done: false,
            wake: Wake::none(),
        });
    };
    let rows: Vec<(Option<Uuid>, Option<String>)> = sqlx::query_as(
        "select ended, wake from queue.end_jobs(array[$1::uuid], array[$2::uuid], array['discarded'::queue.state],
             array['discarded'::text], array[$3::text], array[null::jsonb], array[null::jsonb])",
    )
    .bind(job)
    .bind(token)
    .bind(reason)
    .fetch_all(conn)
    .await?;
    let mut wake = Wake::queues(rows.into_iter().filter_map(|row| row.1));
    if state == State::Running {
        wake.cancel(job);
    }
    Ok(Steered { done: true, wake })
}
