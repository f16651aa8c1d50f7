//! One job as the admin screens see it.

use chrono::{DateTime, Utc};
use millrace_queue::{JobRow, LogLine, Progress, Reason, Relative, Relatives, State as JobState};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

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
    /// A run is stopped after so many milliseconds.
    pub(super) timeout_ms: i64,
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
    /// Jobs with the same key share a limit.
    #[schema(required)]
    pub(super) limit_key: Option<String>,
    pub(super) tags: Vec<String>,
    /// The trace that it belongs to: 32 hexadecimal digits.
    #[schema(required)]
    pub(super) trace_id: Option<String>,
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
    /// How far its run is, where it says so.
    #[schema(required)]
    pub(super) progress: Option<JobProgress>,
    /// The jobs that it waits or waited for.
    pub(super) parents: JobLinks,
    /// The jobs that wait or waited for it.
    pub(super) children: JobLinks,
    /// The last 500 lines that its runs have written.
    pub(super) log: Vec<Line>,
}

/// A reason why a job is not running.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Why {
    /// A stable word.
    pub(super) code: String,
    /// The same as a sentence.
    pub(super) detail: String,
    /// What the sentence is made of, by code: names, numbers, times.
    pub(super) params: Value,
}

/// What a run says about how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobProgress {
    /// From 0 to 100.
    pub(super) percent: f32,
    pub(super) stage: String,
    pub(super) updated_at: DateTime<Utc>,
}

/// Jobs on one side of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobLinks {
    /// How many there are.
    pub(super) total: i64,
    /// The oldest 100 of them.
    pub(super) items: Vec<JobLink>,
}

/// Another job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobLink {
    pub(super) id: Uuid,
    /// `null`: it is kept no longer.
    #[schema(required)]
    pub(super) kind: Option<String>,
    #[schema(required, value_type = Option<String>)]
    pub(super) state: Option<JobState>,
}

impl From<Relatives> for JobLinks {
    fn from(relatives: Relatives) -> Self {
        let link = |relative: Relative| {
            let (kind, state) = relative.job.unzip();
            JobLink {
                id: relative.id.0,
                kind,
                state,
            }
        };
        Self {
            total: relatives.total,
            items: relatives.jobs.into_iter().map(link).collect(),
        }
    }
}

/// What is kept beside a job.
pub(super) struct Around {
    pub(super) why: Vec<Reason>,
    pub(super) log: Vec<LogLine>,
    pub(super) parents: Relatives,
    pub(super) children: Relatives,
    pub(super) progress: Option<Progress>,
}

/// A line that a run has written.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Line {
    pub(super) run_no: i32,
    pub(super) at: DateTime<Utc>,
    pub(super) line: String,
}

impl JobDetail {
    /// `whole`: with arguments and results.
    pub(super) fn new(job: JobRow, whole: bool, around: Around) -> Self {
        let trace_id = job.trace_id().map(str::to_owned);
        // What an earlier run has said is over.
        let progress = around
            .progress
            .filter(|progress| progress.run_no == job.run_no)
            .map(|progress| JobProgress {
                percent: progress.percent,
                stage: progress.stage,
                updated_at: progress.updated_at,
            });
        let why = around.why.into_iter().map(|reason| Why {
            code: reason.code,
            detail: reason.detail,
            params: reason.params,
        });
        let log = around.log.into_iter().map(|line| Line {
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
            timeout_ms: job.timeout_ms,
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            worker_id: job.worker_id,
            owner: job.owner,
            group_id: job.group_id,
            limit_key: job.limit_key,
            tags: job.tags,
            trace_id,
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
            progress,
            parents: around.parents.into(),
            children: around.children.into(),
            log: log.collect(),
        }
    }
}
