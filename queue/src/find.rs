//! Reads one job, live or finished.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{JobId, State, trace::trace_id};

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct JobRow {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub state: State,
    pub priority: i16,
    pub run_at: DateTime<Utc>,
    pub args: Value,
    pub attempt: i32,
    pub max_attempts: i32,
    pub crash_count: i32,
    pub max_crashes: i32,
    pub run_no: i32,
    /// After so many milliseconds a run is stopped.
    pub timeout_ms: i64,
    pub worker_id: Option<Uuid>,
    pub started_at: Option<DateTime<Utc>>,
    pub owner: Option<Uuid>,
    pub group_id: Option<Uuid>,
    pub limit_key: Option<String>,
    pub checkpoint: Option<Value>,
    pub meta: Value,
    pub tags: Vec<String>,
    /// One object per failed run: run_no, attempt, at, code, error, worker.
    pub errors: Value,
    pub result: Option<Value>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub cancel_reason: Option<String>,
    /// The W3C trace context of whoever enqueued it.
    pub traceparent: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Why it ended unhappily.
    pub code: Option<String>,
    pub reason: Option<String>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl JobRow {
    /// The id of the trace that it belongs to: 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref().and_then(trace_id)
    }
}

/// The job, from the hot table or the history.
///
/// # Errors
/// Those of the statements.
pub async fn find(conn: &mut PgConnection, job: JobId) -> Result<Option<JobRow>, sqlx::Error> {
    // Twice: between two looks a job may end, or an operator may move it back.
    for _ in 0..2 {
        let live = sqlx::query_as(
            "select *, null::text as code, null::text as reason, null::timestamptz as finished_at
               from queue.job where id = $1",
        )
        .bind(job)
        .fetch_optional(&mut *conn)
        .await?;
        if live.is_some() {
            return Ok(live);
        }
        let ended = sqlx::query_as("select * from queue.history where id = $1")
            .bind(job)
            .fetch_optional(&mut *conn)
            .await?;
        if ended.is_some() {
            return Ok(ended);
        }
    }
    Ok(None)
}
