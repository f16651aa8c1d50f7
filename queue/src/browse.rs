//! Pages through jobs, live and finished.

use chrono::{DateTime, Utc};
use sqlx::{Arguments as _, PgConnection};
use uuid::Uuid;

use crate::{
    JobFilter, JobId, State,
    filter::{ended, live},
};

const LIVE: &str = concat!(
    "select id, kind, queue, state, priority, attempt, max_attempts, crash_count, run_at, created_at, started_at,
            null::timestamptz as finished_at, worker_id, owner, group_id, tags, cancel_requested_at, null::text as code,
            errors -> -1 ->> 'error' as reason
       from queue.job
      where ($11::uuid is null or id < $11) and",
    live!(),
    "order by id desc limit $12"
);
const ENDED: &str = concat!(
    "select id, kind, queue, state, priority, attempt, max_attempts, crash_count, run_at, created_at, started_at,
            finished_at, worker_id, owner, group_id, tags, cancel_requested_at, code, reason
       from queue.history
      where ($11::uuid is null or id < $11) and",
    ended!(),
    "order by id desc limit $12"
);

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
    let states = &filter.states;
    let live = states.is_empty() || states.iter().any(|state| !state.is_terminal());
    let ended = states.is_empty() || states.iter().any(|state| state.is_terminal());
    let mut found: Vec<JobSummary> = Vec::new();
    for (wanted, statement) in [(live, LIVE), (ended, ENDED)] {
        if wanted {
            let mut arguments = filter.arguments(states)?;
            arguments.add(before).map_err(sqlx::Error::Encode)?;
            arguments.add(limit).map_err(sqlx::Error::Encode)?;
            let rows: Vec<JobSummary> = sqlx::query_as_with(statement, arguments)
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
