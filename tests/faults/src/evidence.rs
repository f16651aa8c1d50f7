//! All that the checker reads: the audits of the processes, and what the database wrote down of itself.

use std::path::Path;

use anyhow::Result;
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::record::{Record, read_all};

/// A change of a row of the hot table. Times are microseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
pub struct Change {
    pub at: i64,
    /// The process whose session did it.
    pub who: Option<String>,
    pub job: Uuid,
    /// `None` when it was inserted.
    pub old_state: Option<String>,
    /// `None` when it was deleted.
    pub new_state: Option<String>,
    pub old_token: Option<Uuid>,
    pub new_token: Option<Uuid>,
    pub old_lease: Option<i64>,
    pub new_lease: Option<i64>,
    pub old_attempt: Option<i32>,
    pub new_attempt: Option<i32>,
    pub old_crashes: Option<i32>,
    pub new_crashes: Option<i32>,
    pub run_no: i32,
    pub max_attempts: i32,
    pub max_crashes: i32,
    pub cancel_requested: bool,
}

/// A change of a row of the history.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
pub struct Ending {
    pub at: i64,
    /// INSERT, UPDATE or DELETE.
    pub op: String,
    pub job: Uuid,
    pub state: String,
    pub token: Option<Uuid>,
}

/// A row of the hot table or the history when all was over.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
pub struct Row {
    pub job: Uuid,
    pub kind: String,
    pub state: String,
    pub crash_count: i32,
    pub max_crashes: i32,
    pub unique_key: Option<String>,
    /// The job whose failure brought it about.
    pub failure_of: Option<Uuid>,
}

/// A row of a ledger.
#[derive(Debug, Clone, Default, PartialEq, FromRow)]
pub struct Entry {
    pub key: String,
    pub job: Uuid,
}

/// What a process holds open when all was over, and what it may.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holding {
    pub who: String,
    pub sessions: i64,
    pub descriptors: usize,
    pub descriptors_before: usize,
}

/// What is known about a trial.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    pub records: Vec<Record>,
    pub changes: Vec<Change>,
    pub endings: Vec<Ending>,
    pub live: Vec<Row>,
    pub finished: Vec<Row>,
    pub ledger: Vec<Entry>,
    pub once: Vec<Entry>,
    /// Unique keys that are held until their job ends.
    pub keys: Vec<Entry>,
    pub dependencies: i64,
    pub holdings: Vec<Holding>,
}

const LIVE: &str =
    "select id as job, kind, state::text as state, crash_count, max_crashes, unique_key,
    (args -> '_failure' ->> 'job_id')::uuid as failure_of from queue.job";
const FINISHED: &str =
    "select id as job, kind, state::text as state, crash_count, max_crashes, unique_key,
    (args -> '_failure' ->> 'job_id')::uuid as failure_of from queue.history";

impl Evidence {
    /// Gathers it.
    ///
    /// # Errors
    /// Those of the statements and the files.
    pub async fn gather(
        conn: &mut PgConnection,
        audit: &Path,
        holdings: Vec<Holding>,
    ) -> Result<Self> {
        let changes = sqlx::query_as(
            "select (extract(epoch from at) * 1000000)::bigint as at, who, job, old_state, new_state, old_token,
                    new_token, (extract(epoch from old_lease) * 1000000)::bigint as old_lease,
                    (extract(epoch from new_lease) * 1000000)::bigint as new_lease, old_attempt, new_attempt,
                    old_crashes, new_crashes, run_no, max_attempts, max_crashes, cancel_requested
               from faults.change order by seq",
        )
        .fetch_all(&mut *conn)
        .await?;
        let endings = sqlx::query_as(
            "select (extract(epoch from at) * 1000000)::bigint as at, op, job, state, token
               from faults.ending order by seq",
        )
        .fetch_all(&mut *conn)
        .await?;
        Ok(Self {
            records: read_all(audit)?,
            changes,
            endings,
            live: sqlx::query_as(LIVE).fetch_all(&mut *conn).await?,
            finished: sqlx::query_as(FINISHED).fetch_all(&mut *conn).await?,
            ledger: entries(&mut *conn, "select key, job from faults.ledger").await?,
            once: entries(&mut *conn, "select key, job from faults.once").await?,
            keys: entries(
                &mut *conn,
                "select key, job_id as job from queue.unique_key where expires_at is null",
            )
            .await?,
            dependencies: sqlx::query_scalar("select count(*) from queue.dependency")
                .fetch_one(&mut *conn)
                .await?,
            holdings,
        })
    }
}

async fn entries(conn: &mut PgConnection, sql: &'static str) -> Result<Vec<Entry>> {
    Ok(sqlx::query_as(sql).fetch_all(conn).await?)
}
