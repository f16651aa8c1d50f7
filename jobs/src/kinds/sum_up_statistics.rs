//! sum_up_statistics: what players said becomes figures.

use millrace_domain::videos;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// Rows of one statement.
const BATCH: i64 = 5_000;

/// Empties the buffer of what players said into sums by day and by part.
/// Safe twice: each statement takes rows away in the moment in which it counts them.
#[derive(Debug, Serialize, Deserialize)]
pub struct SumUpStatistics {}

impl Job for SumUpStatistics {
    const KIND: &'static str = "sum_up_statistics";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 40;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "25 */5 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        while videos::sum_up(cx.db(), BATCH).await? == BATCH && !cx.cancelled().is_cancelled() {}
        Ok(Done::Completed)
    }
}
