//! One action on all jobs of a filter, carried out by a job.

/// Finds the jobs, page by page, and counts them.
mod page;
/// The job's run: batch by batch, resumed where it was.
mod run;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

use crate::{Backoff, Failure, JobFilter, Kind, Registry, State};

/// What is done to each job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BulkAction {
    /// As [`retry`](crate::retry): jobs that failed, were discarded or quarantined. Those that were put off or cancelled
    /// on purpose only where the filter names `scheduled` or `cancelled`.
    Retry,
    /// As [`request_cancel`](crate::request_cancel): live jobs.
    Cancel,
    /// As [`discard`](crate::discard): live jobs, by force.
    Discard,
}

/// Acts on all jobs of a filter that were there when it was enqueued itself; what changes afterwards, by its own doing or
/// anybody's, it leaves alone. Other bulk jobs only where the filter names their kind, and never itself.
///
/// It goes through the jobs once, in transactions of 500, with progress and a checkpoint: killed, it goes on where it was;
/// cancelled, it stops between two of them. Its result is a [`BulkResult`]. A worker that registers it
/// ([`Registry::bulk`]) runs it; enqueue it as any other job. A filter that matches everything is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    pub action: BulkAction,
    pub filter: JobFilter,
    /// Who wants it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, for people: cancelled and discarded jobs carry it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How many jobs a bulk action touched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BulkResult {
    /// Jobs that were retried, cancelled (or asked to stop) or discarded.
    pub changed: u64,
    /// Jobs that moved on before their turn came, or whose unique key another job holds.
    pub skipped: u64,
}

/// How many jobs a bulk action would touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BulkCount {
    /// At most [`Bulk::COUNTED`].
    pub count: u64,
    /// Whether there are more than that.
    pub capped: bool,
}

impl Kind for Bulk {
    const KIND: &'static str = "queue.bulk";
    const QUEUE: &'static str = "default";
    /// Somebody waits for it, often because of what else is in the queue.
    const PRIORITY: i16 = -100;
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(60));
}

impl Bulk {
    /// Where counting stops.
    pub const COUNTED: u64 = 10_000;

    /// How many jobs it would touch if it were enqueued now.
    ///
    /// # Errors
    /// Those of the statements: a filter that matches hardly any of millions takes long, so set a `statement_timeout`.
    pub async fn count(&self, conn: &mut PgConnection) -> Result<BulkCount, sqlx::Error> {
        let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&mut *conn)
            .await?;
        let count = page::count(conn, self, now, Self::COUNTED + 1).await?;
        Ok(BulkCount {
            count: count.min(Self::COUNTED),
            capped: count > Self::COUNTED,
        })
    }

    /// The states in which jobs are touched: those of the action, or those of them that the filter names.
    fn states(&self, usual: &[State], named: &[State]) -> Vec<State> {
        if self.filter.states.is_empty() {
            return usual.to_vec();
        }
        let allowed = usual.iter().chain(named).copied();
        allowed
            .filter(|state| self.filter.states.contains(state))
            .collect()
    }

    fn live_states(&self) -> Vec<State> {
        const LIVE: [State; 5] = [
            State::Waiting,
            State::Scheduled,
            State::Available,
            State::Running,
            State::Retryable,
        ];
        match self.action {
            BulkAction::Retry => self.states(&[State::Retryable], &[State::Scheduled]),
            BulkAction::Cancel | BulkAction::Discard => self.states(&LIVE, &[]),
        }
    }

    fn ended_states(&self) -> Vec<State> {
        match self.action {
            BulkAction::Retry => {
                self.states(&[State::Discarded, State::Quarantined], &[State::Cancelled])
            }
            BulkAction::Cancel | BulkAction::Discard => Vec::new(),
        }
    }

    /// What cancelled and discarded jobs are told.
    fn sentence(&self) -> String {
        let done = match self.action {
            BulkAction::Retry => "retried",
            BulkAction::Cancel => "cancelled",
            BulkAction::Discard => "discarded",
        };
        let by = self.by.as_deref().unwrap_or("a bulk action");
        match self.reason.as_deref().filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{done} by {by}: {reason}"),
            None => format!("{done} by {by}"),
        }
    }
}

impl<C: Clone + Send + Sync + 'static> Registry<C> {
    /// Adds the kind [`Bulk`], to run in `queue`: one of its own keeps it running while others are paused or full.
    #[must_use]
    pub fn bulk(
        self,
        queue: &'static str,
        pool: impl Fn(&C) -> PgPool + Send + Sync + 'static,
    ) -> Self {
        self.register_in::<Bulk>(queue, move |bulk, run, context| {
            let pool = pool(&context);
            Box::pin(async move {
                if bulk.filter.is_empty() {
                    return Err(Failure::fail(
                        "a bulk action needs a filter that leaves something out",
                    )
                    .with_code("empty_filter"));
                }
                bulk.run(&run, &pool).await
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(action: BulkAction, states: &[State]) -> Bulk {
        let filter = JobFilter {
            states: states.to_vec(),
            ..JobFilter::default()
        };
        Bulk {
            action,
            filter,
            by: None,
            reason: None,
        }
    }

    #[test]
    fn an_action_touches_the_states_it_is_for() {
        let all = bulk(BulkAction::Retry, &[]);
        assert_eq!(all.live_states(), [State::Retryable]);
        assert_eq!(all.ended_states(), [State::Discarded, State::Quarantined]);
        let named = bulk(
            BulkAction::Retry,
            &[State::Scheduled, State::Cancelled, State::Completed],
        );
        assert_eq!(named.live_states(), [State::Scheduled]);
        assert_eq!(named.ended_states(), [State::Cancelled]);
        for action in [BulkAction::Cancel, BulkAction::Discard] {
            assert_eq!(bulk(action, &[]).live_states().len(), 5);
            let named = bulk(action, &[State::Running, State::Discarded]);
            assert_eq!(named.live_states(), [State::Running]);
            assert!(named.ended_states().is_empty());
        }
    }

    #[test]
    fn jobs_are_told_who_and_why() {
        let mut bulk = bulk(BulkAction::Cancel, &[]);
        assert_eq!(bulk.sentence(), "cancelled by a bulk action");
        bulk.by = Some("eve".to_owned());
        bulk.reason = Some("sent twice".to_owned());
        assert_eq!(bulk.sentence(), "cancelled by eve: sent twice");
    }
}
