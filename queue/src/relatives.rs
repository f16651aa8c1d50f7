//! The jobs that a job waited for, and those that waited for it, also when all of them have ended.

use sqlx::PgExecutor;

use crate::{JobId, State};

/// Another job of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative {
    pub id: JobId,
    /// `None` when it is kept no longer.
    pub job: Option<(String, State)>,
}

/// Some of the jobs on one side of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    /// How many there are.
    pub total: i64,
    /// The oldest of them.
    pub jobs: Vec<Relative>,
}

/// The jobs that `job` waits or waited for; at most `limit` of them.
///
/// # Errors
/// Those of the statement.
pub async fn parents(
    db: impl PgExecutor<'_>,
    job: JobId,
    limit: i64,
) -> Result<Relatives, sqlx::Error> {
    related(db, job, true, limit).await
}

/// The jobs that wait or waited for `job`; at most `limit` of them.
///
/// # Errors
/// Those of the statement.
pub async fn children(
    db: impl PgExecutor<'_>,
    job: JobId,
    limit: i64,
) -> Result<Relatives, sqlx::Error> {
    related(db, job, false, limit).await
}

/// One statement, so that a job that ends meanwhile is found in one of the two tables. `queue.dependency` knows those that
/// wait longer than anything is kept.
async fn related(
    db: impl PgExecutor<'_>,
    job: JobId,
    parents: bool,
    limit: i64,
) -> Result<Relatives, sqlx::Error> {
    let rows: Vec<(JobId, i64, Option<String>, Option<State>)> = sqlx::query_as(
        "with edge as (
             select parent as id from queue.lineage where child = $1 and $2
             union select parent from queue.dependency where child = $1 and $2
             union select child from queue.lineage where parent = $1 and not $2
             union select child from queue.dependency where parent = $1 and not $2
         ), shown as (
             select id, count(*) over () as total from edge order by id limit $3
         )
         select s.id, s.total, coalesce(j.kind, h.kind), coalesce(j.state, h.state)
           from shown s
           left join queue.job j on j.id = s.id
           left join lateral (select kind, state from queue.history where id = s.id and j.id is null limit 1) h on true
          order by s.id",
    )
    .bind(job)
    .bind(parents)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(Relatives {
        total: rows.first().map_or(0, |row| row.1),
        jobs: rows
            .into_iter()
            .map(|(id, _, kind, state)| Relative {
                id,
                job: kind.zip(state),
            })
            .collect(),
    })
}
