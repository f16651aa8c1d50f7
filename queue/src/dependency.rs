//! The dependencies of jobs that are being inserted.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{EnqueueError, JobId, NewJob, State, Wake};

/// The dependencies of the jobs of one call.
#[derive(Default)]
pub(crate) struct Edges {
    unmet: Vec<(JobId, JobId, bool)>,
    pub(crate) pending: HashMap<JobId, i32>,
    /// Jobs whose parent has already ended unhappily, and the sentence that says so.
    orphans: Vec<(JobId, String)>,
}

impl Edges {
    /// Looks for the parents: in the call, then live (locking them, so that none can end before this transaction
    /// does), then in the history.
    pub(crate) async fn resolve(
        conn: &mut PgConnection,
        jobs: &[NewJob],
    ) -> Result<Self, EnqueueError> {
        let mut edges = Self::default();
        if jobs.iter().all(|job| job.parents.is_empty()) {
            return Ok(edges);
        }
        let inside: HashSet<JobId> = jobs.iter().map(|job| job.id).collect();
        if !in_circles(jobs, &inside).is_empty() {
            return Err(EnqueueError::Circle);
        }
        let mut outside: Vec<Uuid> = jobs
            .iter()
            .flat_map(|job| &job.parents)
            .filter(|parent| !inside.contains(&parent.id))
            .map(|parent| parent.id.0)
            .collect();
        outside.sort_unstable();
        outside.dedup();
        let (live, ended) = find_parents(conn, outside).await?;
        for job in jobs {
            let mut orphaned = None;
            for parent in &job.parents {
                if inside.contains(&parent.id) || live.contains(&parent.id) {
                    edges.unmet.push((job.id, parent.id, parent.ignore));
                    *edges.pending.entry(job.id).or_default() += 1;
                } else {
                    match ended.get(&parent.id) {
                        Some(State::Completed) => {}
                        Some(_) if parent.ignore => {}
                        Some(state) => {
                            orphaned = Some(format!("job {} ended {state}", parent.id));
                        }
                        None => return Err(EnqueueError::UnknownParent(job.id, parent.id)),
                    }
                }
            }
            if let Some(cause) = orphaned {
                edges.orphans.push((job.id, cause));
            }
        }
        Ok(edges)
    }

    pub(crate) async fn insert(&self, conn: &mut PgConnection) -> Result<(), EnqueueError> {
        if self.unmet.is_empty() {
            return Ok(());
        }
        let children: Vec<Uuid> = self.unmet.iter().map(|e| e.0.0).collect();
        let parents: Vec<Uuid> = self.unmet.iter().map(|e| e.1.0).collect();
        let ignores: Vec<bool> = self.unmet.iter().map(|e| e.2).collect();
        sqlx::query(
            "insert into queue.dependency (child, parent, ignore) select * from unnest($1::uuid[], $2::uuid[], $3::bool[])",
        )
        .bind(&children)
        .bind(&parents)
        .bind(&ignores)
        .execute(conn)
        .await?;
        Ok(())
    }

    pub(crate) async fn cancel_orphans(
        &self,
        conn: &mut PgConnection,
    ) -> Result<Wake, EnqueueError> {
        if self.orphans.is_empty() {
            return Ok(Wake::none());
        }
        let ids: Vec<Uuid> = self.orphans.iter().map(|o| o.0.0).collect();
        let causes: Vec<&str> = self.orphans.iter().map(|o| o.1.as_str()).collect();
        let rows: Vec<(Option<Uuid>, Option<String>)> = sqlx::query_as(
            "select e.ended, e.wake
               from (select array_agg(id) as ids, array_agg(cause) as causes, count(*)::int as n
                       from unnest($1::uuid[], $2::text[]) as o(id, cause)) as a,
                    queue.end_jobs(a.ids, array_fill(null::uuid, array[a.n]),
                        array_fill('cancelled'::queue.state, array[a.n]), array_fill('parent_failed'::text, array[a.n]),
                        a.causes, array_fill(null::jsonb, array[a.n]), array_fill(null::jsonb, array[a.n])) as e",
        )
        .bind(&ids)
        .bind(&causes)
        .fetch_all(conn)
        .await?;
        Ok(Wake::queues(rows.into_iter().filter_map(|row| row.1)))
    }
}

/// Lets a job that waits for others wait for `parents` also, which this transaction has enqueued: so a member of a group
/// adds to it. False when the job does not wait any more; then nothing was changed.
///
/// # Errors
/// Those of the statements.
pub async fn wait_also(
    conn: &mut PgConnection,
    job: JobId,
    parents: &[JobId],
    whatever_the_outcome: bool,
) -> Result<bool, sqlx::Error> {
    let parents: Vec<Uuid> = parents.iter().map(|parent| parent.0).collect();
    let waits: Option<bool> = sqlx::query_scalar(
        "select state = 'waiting' from queue.job where id = $1 for no key update",
    )
    .bind(job)
    .fetch_optional(&mut *conn)
    .await?;
    if waits != Some(true) {
        return Ok(false);
    }
    sqlx::query(
        "with put as (
             insert into queue.dependency (child, parent, ignore)
             select $1, j.id, $3 from queue.job j where j.id = any($2) on conflict do nothing returning 1)
         update queue.job set pending = pending + (select count(*) from put)::integer where id = $1",
    )
    .bind(job)
    .bind(&parents)
    .bind(whatever_the_outcome)
    .execute(conn)
    .await?;
    Ok(true)
}

/// The jobs that are in circles of the call, or wait for one, by Kahn's algorithm.
pub(crate) fn in_circles(jobs: &[NewJob], inside: &HashSet<JobId>) -> HashSet<JobId> {
    let mut children: HashMap<JobId, Vec<JobId>> = HashMap::new();
    let mut unmet: HashMap<JobId, usize> = HashMap::new();
    for job in jobs {
        let parents = job.parents.iter().filter(|p| inside.contains(&p.id));
        for parent in parents {
            children.entry(parent.id).or_default().push(job.id);
            *unmet.entry(job.id).or_default() += 1;
        }
    }
    let mut free: Vec<JobId> = jobs
        .iter()
        .map(|job| job.id)
        .filter(|id| !unmet.contains_key(id))
        .collect();
    let mut stuck = inside.clone();
    while let Some(id) = free.pop() {
        stuck.remove(&id);
        for child in children.remove(&id).unwrap_or_default() {
            if let Some(left) = unmet.get_mut(&child) {
                *left -= 1;
                if *left == 0 {
                    free.push(child);
                }
            }
        }
    }
    stuck
}

pub(crate) type Parents = (HashSet<JobId>, HashMap<JobId, State>);

/// The live ones among `wanted`, locked in id order, and how the others ended.
pub(crate) async fn find_parents(
    conn: &mut PgConnection,
    mut wanted: Vec<Uuid>,
) -> Result<Parents, EnqueueError> {
    let mut live = HashSet::new();
    let mut ended = HashMap::new();
    // Twice, since an operator may move a job back from the history between the two looks.
    for _ in 0..2 {
        if wanted.is_empty() {
            break;
        }
        let locked: Vec<Uuid> = sqlx::query_scalar(
            "select id from queue.job where id = any($1) order by id for key share",
        )
        .bind(&wanted)
        .fetch_all(&mut *conn)
        .await?;
        live.extend(locked.into_iter().map(JobId));
        wanted.retain(|id| !live.contains(&JobId(*id)));
        if wanted.is_empty() {
            break;
        }
        // A new statement: a parent that ended while the lock was waited for is visible here.
        let rows: Vec<(Uuid, State)> =
            sqlx::query_as("select id, state from queue.history where id = any($1)")
                .bind(&wanted)
                .fetch_all(&mut *conn)
                .await?;
        ended.extend(rows.into_iter().map(|(id, state)| (JobId(id), state)));
        wanted.retain(|id| !ended.contains_key(&JobId(*id)));
    }
    Ok((live, ended))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::Kind;

    #[derive(serde::Serialize, Deserialize)]
    struct Nothing;

    impl Kind for Nothing {
        const KIND: &'static str = "nothing";
        const QUEUE: &'static str = "default";
    }

    #[test]
    fn a_circle_is_refused_and_a_diamond_is_not() {
        let (a, b, c) = (
            NewJob::new(&Nothing),
            NewJob::new(&Nothing),
            NewJob::new(&Nothing),
        );
        let (ia, ib, ic) = (a.id(), b.id(), c.id());
        let inside: HashSet<JobId> = [ia, ib, ic].into();
        let diamond = [
            a.clone(),
            b.clone().after(&[ia]),
            c.clone().after(&[ia, ib]),
        ];
        assert!(in_circles(&diamond, &inside).is_empty());
        let circle = [a.after(&[ic]), b.after(&[ia]), c.after(&[ib])];
        assert_eq!(in_circles(&circle, &inside), inside);
    }
}
