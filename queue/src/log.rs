//! Lines that runs write for people: collected in the process, written in batches.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use crate::{JobId, execute::storable};

/// Lines of one run; what is said beyond is left out, and the last line says so.
const MOST: i32 = 1_000;
/// Lines that wait while the database is away; beyond, they are dropped.
const CAPACITY: usize = 10_000;

/// A line as it was written.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct LogLine {
    pub run_no: i32,
    /// Counts the lines of one run, from 1.
    pub n: i32,
    pub at: DateTime<Utc>,
    pub line: String,
}

impl LogLine {
    /// The lines of a job's runs, after line `after` of run `after.0`; at most `limit`.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_job(
        db: impl PgExecutor<'_>,
        job: JobId,
        after: (i32, i32),
        limit: i64,
    ) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as(
            "select run_no, n, at, line from queue.log
              where job_id = $1 and (run_no, n) > ($2, $3) order by run_no, n limit $4",
        )
        .bind(job)
        .bind(after.0)
        .bind(after.1)
        .bind(limit)
        .fetch_all(db)
        .await
    }

    /// The last lines of a job's runs, in the order of writing; at most `limit`.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn last_of_job(
        db: impl PgExecutor<'_>,
        job: JobId,
        limit: i64,
    ) -> Result<Vec<Self>, sqlx::Error> {
        let mut lines: Vec<Self> = sqlx::query_as(
            "select run_no, n, at, line from queue.log where job_id = $1 order by run_no desc, n desc limit $2",
        )
        .bind(job)
        .bind(limit)
        .fetch_all(db)
        .await?;
        lines.reverse();
        Ok(lines)
    }
}

/// What the runs of this process have said and nobody has written yet.
#[derive(Debug, Default)]
pub(crate) struct LogBook {
    lines: Mutex<Vec<Line>>,
}

#[derive(Debug, Clone)]
struct Line {
    job: Uuid,
    run_no: i32,
    n: i32,
    at: DateTime<Utc>,
    line: String,
}

impl LogBook {
    /// Adds line `n` of a run.
    pub(crate) fn write(&self, job: JobId, run_no: i32, n: i32, line: &str) {
        let line = match n {
            ..MOST => storable(line),
            MOST => "further lines are left out".to_owned(),
            _ => return,
        };
        let mut lines = self.lock();
        if lines.len() < CAPACITY {
            lines.push(Line {
                job: job.0,
                run_no,
                n,
                at: Utc::now(),
                line,
            });
        }
    }

    /// Writes what was collected. Lines that the database refuses now are kept for the next time.
    pub(crate) async fn flush(&self, pool: &PgPool) {
        let lines = std::mem::take(&mut *self.lock());
        if lines.is_empty() {
            return;
        }
        if let Err(error) = insert(pool, &lines).await {
            tracing::warn!(%error, "could not write {} lines of jobs' logs", lines.len());
            let mut kept = self.lock();
            let room = CAPACITY.saturating_sub(kept.len());
            kept.extend(lines.into_iter().take(room));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn insert(pool: &PgPool, lines: &[Line]) -> Result<(), sqlx::Error> {
    let jobs: Vec<Uuid> = lines.iter().map(|l| l.job).collect();
    let runs: Vec<i32> = lines.iter().map(|l| l.run_no).collect();
    let numbers: Vec<i32> = lines.iter().map(|l| l.n).collect();
    let times: Vec<DateTime<Utc>> = lines.iter().map(|l| l.at).collect();
    let texts: Vec<&str> = lines.iter().map(|l| l.line.as_str()).collect();
    sqlx::query(
        "insert into queue.log (job_id, run_no, n, at, line)
         select * from unnest($1::uuid[], $2::int[], $3::int[], $4::timestamptz[], $5::text[])
         on conflict do nothing",
    )
    .bind(&jobs)
    .bind(&runs)
    .bind(&numbers)
    .bind(&times)
    .bind(&texts)
    .execute(pool)
    .await?;
    Ok(())
}
