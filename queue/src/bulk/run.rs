//! The run of a bulk job: batch by batch, resumed where it was.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::{Connection as _, PgConnection, PgPool, error::DatabaseError};
use tokio::time::Instant;
use uuid::Uuid;

use super::{Bulk, BulkAction, BulkResult, page};
use crate::{
    Done, Failure, Outcome, Run, State, Wake,
    steer::{cancel, discard_all, lock, retry_ended, retry_live},
};

/// Jobs of one transaction: a few milliseconds of locks.
const BATCH: i64 = 500;
/// How long it holds its place in the queue before it lets others go first.
const SHARE: Duration = Duration::from_secs(60);
/// Where the count for the percentage stops.
const COUNTED: u64 = 1_000_000;

/// How far it is. All of it is in the checkpoint.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Place {
    /// What there was at the beginning.
    total: u64,
    /// The states that are done: all live ones are the first, then each ended one.
    done: usize,
    /// The last job that was looked at, and its kind where it had ended.
    kind: String,
    id: Uuid,
    #[serde(flatten)]
    result: BulkResult,
}

/// A page of jobs, and what it needs to be acted on.
enum Page {
    Live(Vec<Uuid>),
    Ended(Vec<(String, Uuid)>),
}

impl Bulk {
    pub(super) async fn run(self, run: &Run, pool: &PgPool) -> Outcome {
        let began = Instant::now();
        let ended = self.ended_states();
        let mut conn = pool.acquire().await?;
        let earlier = run.checkpoint.clone().map(serde_json::from_value::<Place>);
        let mut place = match earlier {
            Some(Ok(place)) => place,
            _ => Place {
                total: page::count(&mut conn, &self, run.created_at, COUNTED).await?,
                ..Place::default()
            },
        };
        while place.done <= ended.len() {
            let state = place
                .done
                .checked_sub(1)
                .and_then(|n| ended.get(n))
                .copied();
            let page = self.page(&mut conn, run, &place, state).await?;
            let Some((kind, id)) = page.last() else {
                place.next_state();
                continue;
            };
            let size = page.len();
            let mut tx = conn.begin().await?;
            let (changed, wake) = self.act_on_all(&mut tx, run, &page).await?;
            (place.kind, place.id) = (kind, id);
            place.result.changed += changed as u64;
            place.result.skipped += size.saturating_sub(changed) as u64;
            // Last, so that its own row is locked after older ones; without the lease, nothing of the batch stays.
            run.advance(&mut tx).await?;
            run.save_checkpoint(&mut tx, serde_json::to_value(&place)?)
                .await?;
            tx.commit().await?;
            wake.fire(run.notifier());
            place.report(run);
            if run.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two batches".into()));
            }
            if began.elapsed() > SHARE {
                return Ok(Done::Snooze(Duration::ZERO));
            }
        }
        let BulkResult { changed, skipped } = place.result;
        run.log(format!(
            "{changed} jobs {}, {skipped} left as they are",
            self.sentence()
        ));
        Ok(Done::CompletedWith(serde_json::to_value(place.result)?))
    }

    async fn page(
        &self,
        conn: &mut PgConnection,
        run: &Run,
        place: &Place,
        state: Option<State>,
    ) -> Result<Page, sqlx::Error> {
        let before = run.created_at;
        match state {
            Some(state) => {
                let after = (place.kind.as_str(), place.id);
                page::ended(conn, self, before, state, after, BATCH)
                    .await
                    .map(Page::Ended)
            }
            None => page::live(conn, self, before, run.id.0, place.id, BATCH)
                .await
                .map(Page::Live),
        }
    }

    /// At once; or where a row is in the way of the others, one by one, so that it alone is left out.
    async fn act_on_all(
        &self,
        tx: &mut PgConnection,
        run: &Run,
        page: &Page,
    ) -> Result<(usize, Wake), sqlx::Error> {
        let mut attempt = tx.begin().await?;
        match self.act(&mut attempt, run, page).await {
            Ok(acted) => {
                attempt.commit().await?;
                return Ok(acted);
            }
            Err(error) if is_of_a_row(&error) => attempt.rollback().await?,
            Err(error) => return Err(error),
        }
        let (mut changed, mut wake) = (0, Wake::none());
        for (id, single) in page.singles() {
            let mut attempt = tx.begin().await?;
            match self.act(&mut attempt, run, &single).await {
                Ok((done, news)) => {
                    attempt.commit().await?;
                    changed += done;
                    wake.merge(news);
                }
                Err(error) if is_of_a_row(&error) => {
                    attempt.rollback().await?;
                    run.log(format!("job {id} is left as it is: {error}"));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((changed, wake))
    }

    /// What is no more as it was when it was found is left alone.
    async fn act(
        &self,
        tx: &mut PgConnection,
        run: &Run,
        page: &Page,
    ) -> Result<(usize, Wake), sqlx::Error> {
        let ids = match page {
            Page::Live(ids) => ids.clone(),
            Page::Ended(jobs) => {
                let mut ids: Vec<Uuid> = jobs.iter().map(|job| job.1).collect();
                ids.sort_unstable();
                let steered = retry_ended(tx, &ids, Some(run.created_at)).await?;
                return Ok((steered.count, steered.wake));
            }
        };
        let states = self.live_states();
        match self.action {
            BulkAction::Retry => {
                let steered = retry_live(tx, &ids, &states).await?;
                Ok((steered.count, steered.wake))
            }
            BulkAction::Cancel => {
                let ids = lock(tx, &ids, &states).await?;
                let group = cancel(tx, &ids, &self.sentence()).await?;
                Ok((group.cancelled + group.requested, group.wake))
            }
            BulkAction::Discard => {
                let ids = lock(tx, &ids, &states).await?;
                let steered = discard_all(tx, &ids, &self.sentence()).await?;
                Ok((steered.count, steered.wake))
            }
        }
    }
}

/// Whether the data of some row is refused (classes 22 and 23): it is so again, however often it is tried.
fn is_of_a_row(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

impl Page {
    fn singles(&self) -> Vec<(Uuid, Self)> {
        match self {
            Self::Live(ids) => ids.iter().map(|id| (*id, Self::Live(vec![*id]))).collect(),
            Self::Ended(jobs) => {
                let single = |job: &(String, Uuid)| (job.1, Self::Ended(vec![job.clone()]));
                jobs.iter().map(single).collect()
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Live(ids) => ids.len(),
            Self::Ended(jobs) => jobs.len(),
        }
    }

    fn last(&self) -> Option<(String, Uuid)> {
        match self {
            Self::Live(ids) => ids.last().map(|id| (String::new(), *id)),
            Self::Ended(jobs) => jobs.last().cloned(),
        }
    }
}

impl Place {
    fn next_state(&mut self) {
        self.done += 1;
        (self.kind, self.id) = (String::new(), Uuid::nil());
    }

    fn report(&self, run: &Run) {
        let seen = self.result.changed + self.result.skipped;
        let percent = seen as f64 / self.total.max(seen).max(1) as f64 * 100.0;
        run.progress(
            percent as f32,
            &format!("{seen} of {}", self.total.max(seen)),
        );
    }
}
