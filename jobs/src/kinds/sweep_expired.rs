//! sweep_expired: rows past their time.

use chrono::{TimeDelta, Utc};
use millrace_domain::sweeps;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// How long a client that was away may resume a topic without a new snapshot.
const EVENTS_KEPT: TimeDelta = TimeDelta::hours(24);
/// Events of one statement.
const BATCH: i64 = 5_000;

/// Deletes rows that nobody can use any more: old sessions, spent tickets, full buckets, expired cache, old events.
/// Safe twice: what is gone is gone.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepExpired {}

impl Job for SweepExpired {
    const KIND: &'static str = "sweep_expired";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 50;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "0 17 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let expired = sweeps::sweep_expired(cx.db()).await?;
        let (old, mut events) = (Utc::now() - EVENTS_KEPT, 0);
        loop {
            let gone = millrace_bus::prune(cx.db(), old, BATCH).await?;
            events += gone;
            if gone < BATCH.unsigned_abs() {
                break;
            }
        }
        tracing::debug!(?expired, events, "swept expired rows");
        Ok(Done::Completed)
    }
}
