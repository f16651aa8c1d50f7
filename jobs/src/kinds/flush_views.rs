//! flush_views: views from the buffer into the videos.

use millrace_domain::views;
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// Adds views that were noted to the videos. Safe twice: what is taken from the buffer and what is added to a video are
/// one transaction per batch, so a run that died half way is gone on with.
#[derive(Debug, Serialize, Deserialize)]
pub struct FlushViews {}

impl Job for FlushViews {
    const KIND: &'static str = "flush_views";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 40;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "30 * * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let views = views::flush(cx.db()).await?;
        tracing::debug!(views, "flushed views");
        Ok(Done::Completed)
    }
}
