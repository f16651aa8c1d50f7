//! Commits the effect of a run together with its completion.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use tokio::time::{Instant, sleep, timeout};

use crate::{CancelReason, Done, Failure, LeaseError, Outcome, Run, State, Wake};

/// A commit that takes longer has lost its answer.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);

impl Run {
    /// Ends the job and calls `effect` in one transaction: both happen or neither does. Return the answer as the
    /// handler's own.
    ///
    /// The job is ended first and `effect` runs after, so that locks are taken in the order that all others use:
    /// jobs, application rows, topics. What `effect` returns is fired after the commit. When the answer of the commit
    /// is lost, the outcome is read from the job's row or its history, never guessed. A job that somebody asked to
    /// cancel is not completed any more.
    ///
    /// # Errors
    /// The failure of `effect`, a retry when the database failed before the commit, a cancellation when it was
    /// requested.
    pub async fn complete<F, E>(&self, pool: &PgPool, effect: F) -> Outcome
    where
        F: AsyncFnOnce(&mut PgConnection) -> Result<Wake, E>,
        E: Into<Failure>,
    {
        self.complete_with(pool, None, effect).await
    }

    /// [`Run::complete`], with a result to keep.
    ///
    /// # Errors
    /// Those of [`Run::complete`].
    pub async fn complete_with<F, E>(
        &self,
        pool: &PgPool,
        result: Option<Value>,
        effect: F,
    ) -> Outcome
    where
        F: AsyncFnOnce(&mut PgConnection) -> Result<Wake, E>,
        E: Into<Failure>,
    {
        let mut tx = millrace_bus::begin(pool).await?;
        let mut wake = self.end_within(&mut tx, result).await?;
        wake.merge(effect(&mut tx).await.map_err(Into::into)?);
        // From here on a missing row may mean success.
        self.ticket.set_answered(true);
        let error = match timeout(COMMIT_WITHIN, tx.commit()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(sqlx::Error::PoolTimedOut),
        };
        if let Some(error) = error
            && !self.was_committed(pool).await
        {
            self.ticket.set_answered(false);
            return Err(error.into());
        }
        wake.fire(&self.notifier);
        Ok(Done::Committed)
    }

    async fn end_within(
        &self,
        tx: &mut Transaction<'static, Postgres>,
        result: Option<Value>,
    ) -> Result<Wake, Failure> {
        let (held, cancelled, wake): (bool, Option<String>, Option<Vec<String>>) =
            sqlx::query_as("select held, cancelled, wake from queue.complete_one($1, $2, $3)")
                .bind(self.id)
                .bind(self.ticket.token)
                .bind(result)
                .fetch_one(&mut **tx)
                .await?;
        if let Some(reason) = cancelled {
            self.ticket.cancel(CancelReason::Requested);
            return Err(Failure::cancel(reason).with_code("cancelled"));
        }
        if !held {
            self.ticket.cancel(CancelReason::LeaseLost);
            return Err(LeaseError::Lost.into());
        }
        Ok(Wake::queues(wake.unwrap_or_default()))
    }

    /// Reads how the run ended, by its token. Asks until the lease is over by our own clock; after that the answer no
    /// longer matters, since whatever this worker still writes is fenced.
    async fn was_committed(&self, pool: &PgPool) -> bool {
        let mut pause = Duration::from_millis(100);
        while Instant::now() < self.ticket.deadline() {
            match timeout(COMMIT_WITHIN, self.read_ending(pool)).await {
                Ok(Ok(committed)) => return committed,
                Ok(Err(error)) => {
                    tracing::warn!(job.id = %self.id, %error, "cannot read yet whether the commit arrived");
                }
                Err(_) => {
                    tracing::warn!(job.id = %self.id, "cannot read yet whether the commit arrived");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
        false
    }

    async fn read_ending(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        // The lock waits for a commit that is still on its way.
        let live: Option<i32> =
            sqlx::query_scalar("select 1 from queue.job where id = $1 and token = $2 for update")
                .bind(self.id)
                .bind(self.ticket.token)
                .fetch_optional(pool)
                .await?;
        if live.is_some() {
            return Ok(false);
        }
        let ended: Option<State> =
            sqlx::query_scalar("select state from queue.history where id = $1 and token = $2")
                .bind(self.id)
                .bind(self.ticket.token)
                .fetch_optional(pool)
                .await?;
        Ok(ended == Some(State::Completed))
    }
}
