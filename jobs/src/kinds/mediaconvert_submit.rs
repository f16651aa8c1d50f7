//! mediaconvert_submit: MediaConvert is asked for a ladder.

use std::time::Duration;

use millrace_domain::{ids::VideoId, mediaconvert::Intent};
use millrace_queue::{Done, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, mediaconvert, plan::Decided};

/// Asks MediaConvert for the ladder of a video.
/// Safe twice: what is asked for is a row before it is a call, and a second run looks for the job by the row's token
/// before it asks again. A job that an earlier try paid for is not asked for again either.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaconvertSubmit {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for MediaconvertSubmit {
    const KIND: &'static str = "mediaconvert_submit";
    const QUEUE: &'static str = "default";
    /// Some 25 minutes of an outage over there.
    const MAX_ATTEMPTS: u16 = 30;
    const TIMEOUT: Duration = Duration::from_secs(5 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let decided = Decided::of(&video)?;
        let mut tx = millrace_bus::begin(cx.db()).await?;
        cx.fence(&mut tx).await?;
        let intent = Intent::begin(&mut tx, video.id, video.generation, video.round).await?;
        tx.commit().await?;
        mediaconvert::submit(cx, &video, &decided, &intent).await?;
        Ok(Done::Completed)
    }
}
