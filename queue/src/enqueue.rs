//! Inserts jobs in the caller's transaction.

use sqlx::{Connection as _, PgConnection};
use tracing::Instrument as _;

use crate::{
    JobId, NewJob, Wake,
    dependency::Edges,
    insert::{insert, insert_one},
    job::Start,
    keys::Keys,
    meter, trace, validate,
};

/// How often a deadlock is met before the caller hears of it.
const DEADLOCKS: usize = 3;

/// Where a job ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// The job's id, or that of the job that holds the same unique key.
    pub id: JobId,
    /// Whether it was inserted now.
    pub new: bool,
    /// Whether the holder of the key has taken over what this job would have done.
    pub replaced: bool,
}

/// The answer of [`enqueue`].
#[derive(Debug)]
pub struct Enqueued {
    /// The job's id, or that of the job that holds the same unique key.
    pub id: JobId,
    /// Whether it was inserted now.
    pub new: bool,
    /// Whether the holder of the key has taken over what this job would have done.
    pub replaced: bool,
    /// To be fired after the commit.
    pub wake: Wake,
}

/// The answer of [`enqueue_all`].
#[derive(Debug)]
pub struct EnqueuedAll {
    /// One per job, in the order given.
    pub ids: Vec<Placed>,
    /// To be fired after the commit.
    pub wake: Wake,
}

/// Why jobs could not be enqueued. After a database error the caller's transaction is aborted.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// Arguments, keys or names cannot be stored; nothing was inserted, and the transaction goes on.
    #[error("a job of the kind {kind} cannot be stored: {reason}")]
    Arguments { kind: String, reason: String },
    /// Another job has its id.
    #[error("there is a job {0} already")]
    TakenId(JobId),
    /// A parent is neither live nor in the history.
    #[error("job {0} is to run after a job that does not exist: {1}")]
    UnknownParent(JobId, JobId),
    /// The parents within one call go round in a circle.
    #[error("jobs depend on each other in a circle")]
    Circle,
    /// The holder of a unique key changed at each look.
    #[error("the unique key {0} changes hands too fast")]
    Contended(String),
    /// The database refused.
    #[error("could not enqueue")]
    Database(#[from] sqlx::Error),
}

/// Inserts one job. It becomes visible with the caller's commit; fire the wake after that.
///
/// # Errors
/// See [`EnqueueError`]. A unique key that is taken is no error: the answer then has `new: false`.
pub async fn enqueue(conn: &mut PgConnection, job: NewJob) -> Result<Enqueued, EnqueueError> {
    let asked = Placed {
        id: job.id,
        new: true,
        replaced: false,
    };
    let EnqueuedAll { ids, wake } = enqueue_all(conn, vec![job]).await?;
    let Placed { id, new, replaced } = ids.first().copied().unwrap_or(asked);
    Ok(Enqueued {
        id,
        new,
        replaced,
        wake,
    })
}

/// Inserts jobs, which may depend on each other, in a handful of statements whatever their number.
///
/// Parents must be live, in the history, or in the same call. A job whose unique key is taken is left out, and what
/// depends on it depends on the holder of the key instead.
///
/// # Errors
/// See [`EnqueueError`].
pub async fn enqueue_all(
    conn: &mut PgConnection,
    jobs: Vec<NewJob>,
) -> Result<EnqueuedAll, EnqueueError> {
    traced(jobs, async |jobs| place(conn, jobs).await).await
}

/// Does `work` within a span of its own, with jobs that carry its trace.
pub(crate) async fn traced<T>(
    mut jobs: Vec<NewJob>,
    work: impl AsyncFnOnce(Vec<NewJob>) -> Result<T, EnqueueError>,
) -> Result<T, EnqueueError> {
    let span = trace::enqueueing(&jobs);
    span.in_scope(|| trace::stamp(&mut jobs));
    let answer = work(jobs).instrument(span.clone()).await;
    if let Err(error) = &answer {
        trace::failed(&span, &error.to_string());
    }
    answer
}

async fn place(conn: &mut PgConnection, jobs: Vec<NewJob>) -> Result<EnqueuedAll, EnqueueError> {
    for job in &jobs {
        validate::check(job).map_err(|reason| EnqueueError::Arguments {
            kind: job.kind.to_string(),
            reason,
        })?;
    }
    // More than one statement belongs together, whether or not the caller has a transaction.
    if jobs
        .iter()
        .any(|job| job.unique.is_some() || !job.parents.is_empty())
    {
        return enqueue_in_order(conn, jobs).await;
    }
    enqueue_together(conn, jobs).await
}

/// In a transaction, or a savepoint of the caller's. Holders of keys are locked before parents, so that with an ending of
/// both there can be a circle; going back lets go of these locks, and the next try comes after the ending.
pub(crate) async fn enqueue_in_order(
    conn: &mut PgConnection,
    jobs: Vec<NewJob>,
) -> Result<EnqueuedAll, EnqueueError> {
    let locks = jobs
        .iter()
        .any(|job| job.unique.as_ref().is_some_and(|key| !key.is_plain()));
    for _ in 0..if locks { DEADLOCKS } else { 0 } {
        match enqueue_at_once(conn, jobs.clone()).await {
            Err(EnqueueError::Database(error)) if is_deadlock(&error) => {}
            answer => return answer,
        }
    }
    enqueue_at_once(conn, jobs).await
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .is_some_and(|error| error.code().as_deref() == Some("40P01"))
}

async fn enqueue_at_once(
    conn: &mut PgConnection,
    jobs: Vec<NewJob>,
) -> Result<EnqueuedAll, EnqueueError> {
    let mut tx = conn.begin().await?;
    let answer = enqueue_together(&mut tx, jobs).await?;
    tx.commit().await?;
    Ok(answer)
}

async fn enqueue_together(
    conn: &mut PgConnection,
    mut jobs: Vec<NewJob>,
) -> Result<EnqueuedAll, EnqueueError> {
    let Keys {
        holders,
        replaced,
        wake: mut news,
    } = Keys::take(conn, &jobs).await?;
    let placed: Vec<Placed> = jobs
        .iter()
        .map(|job| {
            let holder = holders.get(&job.id);
            Placed {
                id: *holder.unwrap_or(&job.id),
                new: holder.is_none(),
                replaced: replaced.contains(&job.id),
            }
        })
        .collect();
    jobs.retain(|job| !holders.contains_key(&job.id));
    for job in &mut jobs {
        for parent in &mut job.parents {
            if let Some(&holder) = holders.get(&parent.id) {
                parent.id = holder;
            }
        }
        // Naming a parent twice makes it one dependency; the stricter wish wins.
        job.parents.sort_by_key(|p| (p.id, p.ignore));
        job.parents.dedup_by_key(|p| p.id);
    }
    if jobs.is_empty() {
        return Ok(EnqueuedAll {
            ids: placed,
            wake: news,
        });
    }
    if let [job] = jobs.as_slice()
        && job.parents.is_empty()
        && matches!(job.start, Start::Now)
    {
        news.merge(insert_one(conn, job).await?);
        meter::enqueued(&jobs);
        return Ok(EnqueuedAll {
            ids: placed,
            wake: news,
        });
    }
    let edges = Edges::resolve(conn, &jobs).await?;
    news.merge(insert(conn, &jobs, &edges).await?);
    meter::enqueued(&jobs);
    edges.insert(conn).await?;
    news.merge(edges.cancel_orphans(conn).await?);
    Ok(EnqueuedAll {
        ids: placed,
        wake: news,
    })
}
