//! Why a job is not running.

use serde_json::Value;
use sqlx::PgExecutor;

use crate::JobId;

/// A reason that holds at the moment of asking.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Reason {
    /// A stable word: `ended`, `cancelling`, `running`, `lease_expired`, `dependency`, `backoff`, `run_at`,
    /// `queue_paused`, `kind_paused`, `no_worker`, `queue_limit`, `kind_limit`, `key_limit`, `rate` or `in_line`.
    pub code: String,
    /// The same as a sentence.
    pub detail: String,
    /// What the sentence is made of, for other languages and zones; by code, as the function in SQL lists them.
    pub params: Value,
}

/// Every reason why `job` does not run now; none when there is no such job.
///
/// # Errors
/// Those of the statement.
pub async fn explain(db: impl PgExecutor<'_>, job: JobId) -> Result<Vec<Reason>, sqlx::Error> {
    sqlx::query_as("select code, detail, params from queue.explain($1)")
        .bind(job)
        .fetch_all(db)
        .await
}
