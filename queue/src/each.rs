//! Inserts the jobs that can be inserted, and says what is wrong with the others.

use std::collections::{HashMap, HashSet};

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::{
    EnqueueError, JobId, NewJob, Placed, Wake,
    dependency::{find_parents, in_circles},
    enqueue::{enqueue_in_order, traced},
    validate,
};

/// The answer of [`enqueue_each`].
#[derive(Debug)]
pub struct EnqueuedEach {
    /// One per job, in the order given: where it ended up, or why it was left out.
    pub rows: Vec<Result<Placed, EnqueueError>>,
    /// To be fired after the commit.
    pub wake: Wake,
}

impl EnqueuedEach {
    /// The jobs that were left out: their places in the order given, and why.
    pub fn bad(&self) -> impl Iterator<Item = (usize, &EnqueueError)> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(index, row)| row.as_ref().err().map(|error| (index, error)))
    }
}

/// Inserts jobs as [`enqueue_all`](crate::enqueue_all) does, but for those that cannot be: what cannot be stored, has the id
/// of another job, or is to run after a job that does not exist, that was left out itself, or in a circle. The others are
/// enqueued as if those had not been there.
///
/// # Errors
/// Only those of the database, and a unique key that changes hands too fast; then nothing was inserted.
pub async fn enqueue_each(
    conn: &mut PgConnection,
    jobs: Vec<NewJob>,
) -> Result<EnqueuedEach, EnqueueError> {
    traced(jobs, async |jobs| place_each(conn, jobs).await).await
}

async fn place_each(
    conn: &mut PgConnection,
    jobs: Vec<NewJob>,
) -> Result<EnqueuedEach, EnqueueError> {
    let mut tx = conn.begin().await?;
    let mut rejects = Rejects::default();
    let mut order: Vec<Slot> = Vec::with_capacity(jobs.len());
    let mut rest: Vec<NewJob> = Vec::with_capacity(jobs.len());
    let mut ids: HashSet<JobId> = HashSet::new();
    for job in jobs {
        let error = match validate::check(&job) {
            Err(reason) => Some(EnqueueError::Arguments {
                kind: job.kind.to_string(),
                reason,
            }),
            // The second of two is no parent of anything: whoever names the id means the first.
            Ok(()) if !ids.insert(job.id) => Some(EnqueueError::TakenId(job.id)),
            Ok(()) => None,
        };
        match error {
            Some(error @ EnqueueError::TakenId(_)) => order.push(Slot::Never(error)),
            Some(error) => {
                rejects.errors.insert(job.id, error);
                order.push(Slot::Job(job.id));
            }
            None => {
                order.push(Slot::Job(job.id));
                rest.push(job);
            }
        }
    }
    // Whoever is to run after one of these means the job that is there.
    let taken = taken_ids(&mut tx, &rest).await?;
    rest.retain(|job| !taken.contains(&job.id));
    rejects.parents(&mut tx, &rest).await?;
    rest.retain(|job| !rejects.errors.contains_key(&job.id));
    let kept: Vec<JobId> = rest.iter().map(|job| job.id).collect();
    let answer = enqueue_in_order(&mut tx, rest).await?;
    tx.commit().await?;
    let mut placed: HashMap<JobId, Placed> = kept.into_iter().zip(answer.ids).collect();
    let mut rows = Vec::with_capacity(order.len());
    for slot in order {
        rows.push(match slot {
            Slot::Never(error) => Err(error),
            Slot::Job(id) => match placed.remove(&id) {
                Some(placed) => Ok(placed),
                None => Err(rejects
                    .errors
                    .remove(&id)
                    .unwrap_or(EnqueueError::TakenId(id))),
            },
        });
    }
    Ok(EnqueuedEach {
        rows,
        wake: answer.wake,
    })
}

/// A row of the answer to be.
enum Slot {
    Job(JobId),
    Never(EnqueueError),
}

/// The ids of new jobs that live ones have. (Those that have ended share the table with nobody.)
async fn taken_ids(
    conn: &mut PgConnection,
    jobs: &[NewJob],
) -> Result<HashSet<JobId>, EnqueueError> {
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id.0).collect();
    let taken: Vec<Uuid> = sqlx::query_scalar("select id from queue.job where id = any($1)")
        .bind(&ids)
        .fetch_all(conn)
        .await?;
    Ok(taken.into_iter().map(JobId).collect())
}

/// Why jobs are left out, but for taken ids.
#[derive(Default)]
struct Rejects {
    errors: HashMap<JobId, EnqueueError>,
}

impl Rejects {
    /// Parents that are nowhere, circles, and then whatever waits for what is left out.
    async fn parents(
        &mut self,
        conn: &mut PgConnection,
        jobs: &[NewJob],
    ) -> Result<(), EnqueueError> {
        if jobs.iter().all(|job| job.parents.is_empty()) {
            return Ok(());
        }
        let inside: HashSet<JobId> = jobs.iter().map(|job| job.id).collect();
        for id in in_circles(jobs, &inside) {
            self.errors.entry(id).or_insert(EnqueueError::Circle);
        }
        let edges = jobs
            .iter()
            .flat_map(|job| job.parents.iter().map(|parent| (job.id, parent.id)));
        let mut outside: Vec<Uuid> = edges
            .clone()
            .filter(|(_, parent)| !inside.contains(parent) && !self.errors.contains_key(parent))
            .map(|(_, parent)| parent.0)
            .collect();
        outside.sort_unstable();
        outside.dedup();
        let (live, ended) = find_parents(conn, outside).await?;
        let there =
            |id: JobId| inside.contains(&id) || live.contains(&id) || ended.contains_key(&id);
        let mut children: HashMap<JobId, Vec<JobId>> = HashMap::new();
        let mut lost: Vec<JobId> = self.errors.keys().copied().collect();
        for (child, parent) in edges {
            children.entry(parent).or_default().push(child);
            if !there(parent) && !self.errors.contains_key(&parent) {
                lost.push(parent);
            }
        }
        while let Some(parent) = lost.pop() {
            for child in children.remove(&parent).unwrap_or_default() {
                let error = EnqueueError::UnknownParent(child, parent);
                self.errors.entry(child).or_insert(error);
                lost.push(child);
            }
        }
        Ok(())
    }
}
