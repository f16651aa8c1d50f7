//! Jobs as the admin screens see them.

use chrono::{DateTime, Utc};
use millrace_queue::{JobRow, JobSummary, LogLine, Reason, State as JobState, trace_id};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A page of jobs, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobPage {
    pub(super) items: Vec<JobLine>,
    /// For the next page; none on the last.
    #[schema(required)]
    pub(super) next_cursor: Option<Uuid>,
}

/// A job in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobLine {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) queue: String,
    #[schema(value_type = String)]
    pub(super) state: JobState,
    /// Smaller runs first.
    pub(super) priority: i16,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    /// Runs that ended with their worker.
    pub(super) crash_count: i32,
    pub(super) run_at: DateTime<Utc>,
    pub(super) created_at: DateTime<Utc>,
    #[schema(required)]
    pub(super) started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub(super) finished_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub(super) worker_id: Option<Uuid>,
    #[schema(required)]
    pub(super) owner: Option<Uuid>,
    #[schema(required)]
    pub(super) group_id: Option<Uuid>,
    pub(super) tags: Vec<String>,
    /// Whether somebody asked for its end.
    pub(super) cancelling: bool,
    /// Why it ended unhappily, or what the last run failed with.
    #[schema(required)]
    pub(super) reason: Option<String>,
}

impl From<JobSummary> for JobLine {
    fn from(job: JobSummary) -> Self {
        Self {
            id: job.id.0,
            kind: job.kind,
            queue: job.queue,
            state: job.state,
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            crash_count: job.crash_count,
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            worker_id: job.worker_id,
            owner: job.owner,
            group_id: job.group_id,
            tags: job.tags,
            cancelling: job.cancel_requested_at.is_some() && !job.state.is_terminal(),
            reason: job.reason,
        }
    }
}

/// Everything about a job. Auditors see neither arguments nor results.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobDetail {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) queue: String,
    #[schema(value_type = String)]
    pub(super) state: JobState,
    pub(super) priority: i16,
    pub(super) attempt: i32,
    pub(super) max_attempts: i32,
    pub(super) crash_count: i32,
    pub(super) max_crashes: i32,
    /// Counts all runs.
    pub(super) run_no: i32,
    pub(super) run_at: DateTime<Utc>,
    pub(super) created_at: DateTime<Utc>,
    #[schema(required)]
    pub(super) started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub(super) finished_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub(super) worker_id: Option<Uuid>,
    #[schema(required)]
    pub(super) owner: Option<Uuid>,
    #[schema(required)]
    pub(super) group_id: Option<Uuid>,
    /// `null` for auditors.
    #[schema(required)]
    pub(super) args: Option<Value>,
    #[schema(required)]
    pub(super) result: Option<Value>,
    #[schema(required)]
    pub(super) checkpoint: Option<Value>,
    pub(super) meta: Value,
    /// One object per failed run: run_no, attempt, at, code, error, worker.
    pub(super) errors: Value,
    #[schema(required)]
    pub(super) cancel_requested_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub(super) cancel_reason: Option<String>,
    #[schema(required)]
    pub(super) code: Option<String>,
    #[schema(required)]
    pub(super) reason: Option<String>,
    /// Why it is not running at this moment.
    pub(super) why: Vec<Why>,
    /// The OpenTelemetry trace that it belongs to, as 32 hexadecimal digits.
    #[schema(required)]
    pub(super) trace_id: Option<String>,
    /// The first 500 lines that its runs have written.
    pub(super) log: Vec<Line>,
}

/// A reason why a job is not running.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Why {
    /// A stable word.
    pub(super) code: String,
    /// The same as a sentence.
    pub(super) detail: String,
}

/// A line that a run has written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Line {
    pub(super) run_no: i32,
    pub(super) at: DateTime<Utc>,
    pub(super) line: String,
}

/// What became of a request to act on a job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acted {
    pub(super) id: Uuid,
    /// `done`, or `requested` where its worker has been asked to stop it.
    pub(super) outcome: &'static str,
}

impl JobDetail {
    /// `whole`: with arguments and results.
    pub(super) fn new(job: JobRow, whole: bool, why: Vec<Reason>, log: Vec<LogLine>) -> Self {
        let why = why.into_iter().map(|reason| Why {
            code: reason.code,
            detail: reason.detail,
        });
        let log = log.into_iter().map(|line| Line {
            run_no: line.run_no,
            at: line.at,
            line: line.line,
        });
        Self {
            id: job.id.0,
            kind: job.kind,
            queue: job.queue,
            state: job.state,
            priority: job.priority,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            crash_count: job.crash_count,
            max_crashes: job.max_crashes,
            run_no: job.run_no,
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            worker_id: job.worker_id,
            owner: job.owner,
            group_id: job.group_id,
            args: whole.then_some(job.args),
            result: job.result.filter(|_| whole),
            checkpoint: job.checkpoint.filter(|_| whole),
            meta: job.meta,
            errors: job.errors,
            cancel_requested_at: job.cancel_requested_at,
            cancel_reason: job.cancel_reason,
            code: job.code,
            reason: job.reason,
            why: why.collect(),
            trace_id: job
                .traceparent
                .as_deref()
                .and_then(trace_id)
                .map(str::to_owned),
            log: log.collect(),
        }
    }
}
