//! empty_trash: videos that nobody brought back go for good.

use millrace_domain::videos::KEPT_IN_TRASH;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// Deletes videos that have been in the trash for 30 days. One job for all of them and not one for each at its time:
/// bringing a video back then changes one row, and a month of deletions does not lie in the queue.
/// Safe twice: each is deleted under its row's lock, and what is gone is gone.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmptyTrash {}

impl Job for EmptyTrash {
    const KIND: &'static str = "empty_trash";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 50;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "0 23 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let videos = flows::empty_trash(cx.db(), cx.notifier(), KEPT_IN_TRASH).await?;
        if videos > 0 {
            tracing::info!(videos, "emptied the trash");
        }
        Ok(Done::Completed)
    }
}
