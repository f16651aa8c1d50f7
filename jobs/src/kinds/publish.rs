//! publish: the video is ready.

use millrace_domain::{
    email::Message,
    ids::VideoId,
    notifications::{Kind, Notice},
    videos::{self, Video},
};
use millrace_queue::{Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    flows::{self, FlowError},
};

/// Makes a video ready. The state, its event, the news of it and the completion are one transaction, so no client
/// can miss it.
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
            let ready = Video::find(&mut *tx, video.id)
                .await?
                .ok_or(FlowError::NotFound)?;
            wake.merge(flows::announce_video(&mut *tx, &ready).await?);
            // Another generation of the same video is news once more.
            let key = format!("video_ready:{}:{}", video.id, self.generation);
            let notice = Notice::of_video(Kind::VideoReady, key, video.id);
            let message = Message::VideoReady { video: video.id };
            wake.merge(flows::notify(&mut *tx, video.user_id, &notice, &message).await?);
            wake.merge(videos::video_changed(tx, video.id, video.user_id).await?);
            Ok::<_, FlowError>(wake)
        })
        .await
    }
}
