//! Pages through jobs, live and finished.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{JobId, State};

/// What jobs to look for; what is `None` or empty matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    pub states: Vec<State>,
    pub kind: Option<String>,
    pub queue: Option<String>,
    pub owner: Option<Uuid>,
    pub group: Option<Uuid>,
    pub tag: Option<String>,
}

/// A line of a list of jobs.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct JobSummary {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    pub state: State,
    pub priority: i16,
    pub attempt: i32,
    pub max_attempts: i32,
    pub crash_count: i32,
    pub run_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
    pub worker_id: Option<Uuid>,
    pub owner: Option<Uuid>,
    pub group_id: Option<Uuid>,
    pub tags: Vec<String>,
    pub cancel_requested_at: Option<DateTime<Utc>>,
    pub code: Option<String>,
    pub reason: Option<String>,
}

/// The newest jobs of `filter` that are older than `before`, at most `limit`. By the time of their enqueueing, which is in
/// their ids, so that a page costs the same whatever is kept.
///
/// # Errors
/// Those of the statement: a filter that matches hardly any of millions takes long, so set a `statement_timeout`.
pub async fn jobs(
    conn: &mut PgConnection,
    filter: &JobFilter,
    before: Option<JobId>,
    limit: i64,
) -> Result<Vec<JobSummary>, sqlx::Error> {
    let states: Vec<&str> = filter.states.iter().map(|state| state.as_str()).collect();
    let live = states.is_empty() || filter.states.iter().any(|state| !state.is_terminal());
    let ended = states.is_empty() || filter.states.iter().any(|state| state.is_terminal());
    let mut found: Vec<JobSummary> = Vec::new();
    for (wanted, statement) in [
        (live, include_str!("browse_live.sql")),
        (ended, include_str!("browse_ended.sql")),
    ] {
        if wanted {
            let rows: Vec<JobSummary> = sqlx::query_as(statement)
                .bind(&states)
                .bind(&filter.kind)
                .bind(&filter.queue)
                .bind(filter.owner)
                .bind(filter.group)
                .bind(&filter.tag)
                .bind(before)
                .bind(limit)
                .fetch_all(&mut *conn)
                .await?;
            found.extend(rows);
        }
    }
    found.sort_unstable_by_key(|job| std::cmp::Reverse(job.id));
    // A job that ended between the two looks is there twice.
    found.dedup_by_key(|job| job.id);
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}
