//! publish: the video is ready.

use millrace_domain::{
    ids::VideoId,
    videos::{self, Video},
};
use millrace_queue::{Failure, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// Makes a video ready. The state, its event and the completion are one transaction, so no client can miss it.
/// Safe twice: a video that is ready stays so.
#[derive(Debug, Serialize, Deserialize)]
pub struct Publish {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Publish {
    const KIND: &'static str = "publish";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u16 = 20;

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        cx.complete(cx.db(), async |tx| {
            let mut wake = Wake::none();
            // What played until now is of an earlier source: this one plays from now on.
            if Video::publish(&mut *tx, video.id, self.generation).await? {
                let gone = videos::switch(&mut *tx, &video).await?;
                wake.merge(flows::delete_doomed(&mut *tx, video.user_id, gone).await?);
            }
            wake.merge(videos::video_changed(tx, video.id, video.user_id).await?);
            Ok::<_, Failure>(wake)
        })
        .await
    }
}
