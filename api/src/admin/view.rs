//! Lists of jobs as the admin screens see them.

use chrono::{DateTime, Utc};
use millrace_queue::{JobSummary, State as JobState};
use serde::Serialize;
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

/// What became of a request to act on a job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Acted {
    pub(super) id: Uuid,
    /// `done`, or `requested` where its worker has been asked to stop it.
    pub(super) outcome: &'static str,
}
