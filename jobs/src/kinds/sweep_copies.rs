//! sweep_copies: copies that nobody watches any more go.

use std::time::Duration;

use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// How long after the ladder was there somebody may still watch the copy.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// Drops the copies of videos whose ladder has been there for a day: it has every quality, and they only cost space.
/// Safe twice: what was dropped is gone.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepCopies {}

impl Job for SweepCopies {
    const KIND: &'static str = "sweep_copies";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 50;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "0 42 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let videos = flows::drop_old_copies(cx.db(), cx.notifier(), KEPT).await?;
        if videos > 0 {
            tracing::info!(videos, "dropped copies of videos whose ladder is there");
        }
        Ok(Done::Completed)
    }
}
