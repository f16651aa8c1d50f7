//! rank_trending: what many watch these days.

use millrace_domain::trending;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// Makes a new list of the videos that are watched most these days. The heat itself is counted when views are flushed.
/// Safe twice: a list is made in one transaction, and one more of them harms nobody; the newest is read.
#[derive(Debug, Serialize, Deserialize)]
pub struct RankTrending {}

impl Job for RankTrending {
    const KIND: &'static str = "rank_trending";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 40;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "40 */5 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        let videos = trending::rank(&mut tx).await?;
        tx.commit().await?;
        tracing::debug!(videos, "ranked what is trending");
        Ok(Done::Completed)
    }
}
