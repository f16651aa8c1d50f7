//! poster: the picture that stands for a video.

use std::time::Duration;

use millrace_domain::{
    ids::{ThumbnailId, VideoId},
    media::PosterSpec,
    videos::{self, Thumbnail, Video},
};
use millrace_queue::Outcome;
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, context::media_failure, plan::Decided};

/// Makes the picture that stands for a video. Safe twice: its key is the run's own, and the row names one.
#[derive(Debug, Serialize, Deserialize)]
pub struct Poster {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Poster {
    const KIND: &'static str = "poster";
    const QUEUE: &'static str = "media";
    const MAX_ATTEMPTS: u16 = 3;
    const PRIORITY: i16 = -10;
    const TIMEOUT: Duration = Duration::from_secs(5 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let decided = Decided::of(&video)?;
        let source = cx.source(&video).await?;
        let spec = PosterSpec { source: source.path().to_owned(), probe: decided.probe };
        let poster = cx
            .services()
            .transcoder
            .poster(&spec, &cx.cancelled())
            .await
            .map_err(media_failure)?;
        let key = format!("images/{}/{}/poster-{}.jpg", video.id, video.generation, video.run_name(cx.run_no));
        cx.storage().put_file(&key, poster.path(), "image/jpeg").await?;
        cx.complete(cx.db(), async |tx| {
            Video::set_poster(&mut *tx, video.id, self.generation, &key).await?;
            // To be chosen again by whoever chose another.
            Thumbnail::found(&mut *tx, ThumbnailId::new(), video.id, self.generation, &key).await?;
            videos::video_changed(tx, video.id, video.user_id).await.map(Into::into)
        })
        .await
    }
}
