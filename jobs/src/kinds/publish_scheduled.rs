//! publish_scheduled: the time has come that a video's owner chose.

use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::VideoId,
    videos::{self, Video},
};
use millrace_queue::{Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    flows::{self, FlowError},
};

/// Makes a video public at the time that its owner chose.
/// Safe twice: only a video that is still to be published at just this time is.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishScheduled {
    pub video: VideoId,
    pub at: DateTime<Utc>,
}

impl Job for PublishScheduled {
    const KIND: &'static str = "publish_scheduled";
    const QUEUE: &'static str = "default";
    /// Somebody may sit and wait.
    const PRIORITY: i16 = -20;
    const MAX_ATTEMPTS: u16 = 20;

    async fn run(self, cx: &JobContext) -> Outcome {
        cx.complete(cx.db(), async |tx| {
            let Some(owner) = videos::publish_scheduled(&mut *tx, self.video, self.at).await? else {
                return Ok::<_, FlowError>(Wake::none());
            };
            let mut wake = match Video::find(&mut *tx, self.video).await? {
                Some(video) => flows::announce_video(&mut *tx, &video).await?,
                None => Wake::none(),
            };
            wake.merge(videos::video_changed(tx, self.video, owner).await?);
            Ok(wake)
        })
        .await
    }
}
