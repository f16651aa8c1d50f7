//! Who gets the unique keys of jobs that are being inserted.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{EnqueueError, JobId, NewJob, UniqueKey, Wake, job::millis};

/// The outcome for the jobs of one call.
pub(crate) struct Keys {
    /// Who holds the key, by the job that wanted it and did not get it.
    pub(crate) holders: HashMap<JobId, JobId>,
    /// Jobs whose wishes the holder has taken over.
    pub(crate) replaced: HashSet<JobId>,
    pub(crate) wake: Wake,
}

/// A job that wants a key.
type Wanted<'a> = (&'a UniqueKey, &'a NewJob);

impl Keys {
    /// Takes the keys. Within one call, the first job of a key has it.
    pub(crate) async fn take(
        conn: &mut PgConnection,
        jobs: &[NewJob],
    ) -> Result<Self, EnqueueError> {
        let mut keys = Self {
            holders: HashMap::new(),
            replaced: HashSet::new(),
            wake: Wake::none(),
        };
        let mut first: HashMap<&str, JobId> = HashMap::new();
        let mut wanted: Vec<Wanted<'_>> = Vec::new();
        for job in jobs {
            let Some(unique) = &job.unique else { continue };
            if let Some(&holder) = first.get(unique.key.as_str()) {
                keys.holders.insert(job.id, holder);
            } else {
                first.insert(&unique.key, job.id);
                wanted.push((unique, job));
            }
        }
        // All callers take keys in the same order, so that they cannot wait for each other in a circle.
        wanted.sort_unstable_by(|a, b| a.0.key.cmp(&b.0.key));
        if wanted.iter().all(|(unique, _)| unique.is_plain()) {
            keys.take_plain(conn, wanted).await?;
        } else {
            if wanted.len() > 1 {
                lock_holders(conn, &wanted).await?;
            }
            for (unique, job) in wanted {
                keys.settle(conn, unique, job).await?;
            }
        }
        keys.resolve_chains();
        Ok(keys)
    }

    /// All at once, where any holder keeps its key.
    async fn take_plain(
        &mut self,
        conn: &mut PgConnection,
        mut wanted: Vec<Wanted<'_>>,
    ) -> Result<(), EnqueueError> {
        for _ in 0..5 {
            if wanted.is_empty() {
                return Ok(());
            }
            let keys: Vec<&str> = wanted.iter().map(|w| w.0.key.as_str()).collect();
            let ids: Vec<Uuid> = wanted.iter().map(|w| w.1.id.0).collect();
            let ttls: Vec<Option<i64>> = wanted.iter().map(|w| w.0.ttl.map(millis)).collect();
            let got: HashSet<String> = sqlx::query_scalar("select queue.take_keys($1, $2, $3)")
                .bind(&keys)
                .bind(&ids)
                .bind(&ttls)
                .fetch_all(&mut *conn)
                .await?
                .into_iter()
                .collect();
            wanted.retain(|w| !got.contains(&w.0.key));
            if wanted.is_empty() {
                return Ok(());
            }
            // A new statement sees who holds the rest. What was released in between is tried again.
            let keys: Vec<&str> = wanted.iter().map(|w| w.0.key.as_str()).collect();
            let held: HashMap<String, Uuid> =
                sqlx::query_as("select key, job_id from queue.unique_key where key = any($1)")
                    .bind(&keys)
                    .fetch_all(&mut *conn)
                    .await?
                    .into_iter()
                    .collect();
            wanted.retain(|w| match held.get(&w.0.key) {
                Some(&holder) => {
                    self.holders.insert(w.1.id, JobId(holder));
                    false
                }
                None => true,
            });
        }
        match wanted.first() {
            Some(w) => Err(EnqueueError::Contended(w.0.key.clone())),
            None => Ok(()),
        }
    }

    /// One, by its states and mode.
    async fn settle(
        &mut self,
        conn: &mut PgConnection,
        unique: &UniqueKey,
        job: &NewJob,
    ) -> Result<(), EnqueueError> {
        let (mode, most) = unique.mode.words();
        let spec = job.to_spec().map_err(|reason| EnqueueError::Arguments {
            kind: job.kind.to_string(),
            reason,
        })?;
        let states: Option<Vec<&str>> = unique
            .states
            .as_ref()
            .map(|states| states.iter().map(|state| state.as_str()).collect());
        let (holder, outcome, wake): (Uuid, String, Option<String>) = sqlx::query_as(
            "select holder, outcome, wake from queue.settle_key($1, $2, $3, $4::text[]::queue.state[], $5, $6, $7)",
        )
        .bind(&unique.key)
        .bind(job.id)
        .bind(unique.ttl.map(millis))
        .bind(states)
        .bind(mode)
        .bind(most.map(millis))
        .bind(spec)
        .fetch_one(conn)
        .await?;
        if outcome != "new" {
            self.holders.insert(job.id, JobId(holder));
        }
        if outcome == "replaced" {
            self.replaced.insert(job.id);
        }
        if let Some(news) = wake {
            self.wake.queue(news);
        }
        Ok(())
    }

    /// A job that lost its key to another of the same call, which itself lost it to a third, is held by the third.
    fn resolve_chains(&mut self) {
        let second: Vec<(JobId, JobId)> = self
            .holders
            .iter()
            .filter_map(|(&job, holder)| self.holders.get(holder).map(|&last| (job, last)))
            .collect();
        self.holders.extend(second);
    }
}

/// Jobs are locked by id everywhere, and one by one they would be in the order of their keys.
async fn lock_holders(conn: &mut PgConnection, wanted: &[Wanted<'_>]) -> Result<(), sqlx::Error> {
    let keys: Vec<&str> = wanted.iter().map(|w| w.0.key.as_str()).collect();
    sqlx::query(
        "select from queue.job
          where id = any(array(select job_id from queue.unique_key where key = any($1))) order by id for no key update",
    )
    .bind(keys)
    .execute(conn)
    .await?;
    Ok(())
}
