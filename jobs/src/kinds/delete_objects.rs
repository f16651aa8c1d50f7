//! delete_objects: what nothing refers to any more leaves the store.

use std::time::Duration;

use millrace_domain::{mediaconvert, videos};
use millrace_queue::{Done, Outcome};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Job, JobContext};

/// Deletes the objects of an upload, a video, or one of its generations, once no job can add to them any more.
/// Safe twice: a prefix that is empty is deleted again at no cost.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteObjects {
    /// The group of the jobs that may still write there.
    pub writers: Option<Uuid>,
    /// Rows of `doomed_objects`.
    pub prefixes: Vec<String>,
}

impl Job for DeleteObjects {
    const KIND: &'static str = "delete_objects";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u16 = 100;

    async fn run(self, cx: &JobContext) -> Outcome {
        // A job that was asked to stop may still be storing its last segment.
        if let Some(writers) = self.writers
            && millrace_queue::group_is_live(cx.db(), writers).await?
        {
            return Ok(Done::Snooze(Duration::from_secs(1)));
        }
        // So may somebody else, who takes their time to stop.
        if mediaconvert::is_writing(cx.db(), &self.prefixes).await? {
            return Ok(Done::Snooze(Duration::from_secs(2)));
        }
        let mut gone = 0;
        for prefix in &self.prefixes {
            // Sources may be there in parts only. First, since a completion may put them together meanwhile.
            if prefix.starts_with("raw/") {
                cx.storage().abort_multiparts(prefix).await?;
            }
            gone += cx.storage().delete_prefix(prefix).await?;
        }
        tracing::info!(objects = gone, prefixes = ?self.prefixes, "deleted objects");
        cx.complete(cx.db(), async |tx| {
            videos::forget_doomed(&mut *tx, &self.prefixes).await.map(|()| millrace_queue::Wake::none())
        })
        .await
    }
}
