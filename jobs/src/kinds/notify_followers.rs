//! notify_followers: a creator's followers hear of a video.

use std::time::Duration;

use millrace_domain::{
    email::Message,
    ids::{UserId, VideoId},
    notifications::followers_after,
    videos::{Status, Video, Visibility},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use crate::{Job, JobContext, flows};

/// Followers of one transaction: some tens of milliseconds, in which their topics are locked.
const BATCH: i64 = 1_000;
/// How long it holds its place in the queue before it lets others go first.
const SHARE: Duration = Duration::from_secs(2);

/// Tells all followers of a video's creator. Safe twice: a batch and how far it goes are one transaction under the lease,
/// and nobody is told of the same video twice anyway.
///
/// Others are not held up: whatever else waits in the queue goes first, at the latest after [`SHARE`].
#[derive(Debug, Serialize, Deserialize)]
pub struct NotifyFollowers {
    pub video: VideoId,
}

impl Job for NotifyFollowers {
    const KIND: &'static str = "notify_followers";
    const QUEUE: &'static str = "default";
    /// After what somebody waits for, before what nobody does.
    const PRIORITY: i16 = 40;

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = Video::find(cx.db(), self.video).await?.or_cancel("the video was deleted")?;
        let notice = flows::published(&video);
        let message = Message::Published { video: video.id };
        let mut after: Option<UserId> = match &cx.checkpoint {
            Some(saved) => serde_json::from_value(saved["after"].clone())?,
            None => None,
        };
        let started = Instant::now();
        loop {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            // It may be hidden by now.
            let video = Video::find(&mut *tx, self.video).await?.or_cancel("the video was deleted")?;
            if video.status != Status::Ready || video.visibility != Visibility::Public {
                return Err(Failure::cancel("the video is not public any more"));
            }
            let batch = followers_after(&mut *tx, video.user_id, after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(Done::Completed);
            };
            after = Some(*last);
            cx.save_checkpoint(&mut tx, json!({ "after": after })).await?;
            cx.advance(&mut tx).await?;
            let wake = flows::notify_all(&mut tx, &batch, &notice, &message).await?;
            tx.commit().await?;
            wake.fire(&cx.services().notifier);
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two batches".into()));
            }
            if started.elapsed() > SHARE {
                return Ok(Done::Snooze(Duration::ZERO));
            }
        }
    }
}
