//! package: everything is there; how big is it?

use millrace_domain::{
    ids::VideoId,
    media::playlist,
    videos::{self, Stage, Video},
};
use millrace_queue::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, plan::Decided};

/// Checks that every segment is there and measures the renditions. It writes no file: playlists are queries.
/// Safe twice: it measures the same.
#[derive(Debug, Serialize, Deserialize)]
pub struct Package {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Package {
    const KIND: &'static str = "package";
    const QUEUE: &'static str = "default";

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        if Video::advance(cx.db(), video.id, self.generation, Stage::Packaging).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            let hint = videos::video_changed(&mut tx, video.id, video.user_id).await?;
            tx.commit().await?;
            hint.fire(cx.notifier());
        }
        let grid = Decided::of(&video)?.plan.grid;
        let expected = grid.segment_count();
        let mut measured = Vec::new();
        for quality in videos::qualities(cx.db(), video.id, self.generation).await? {
            let segments = videos::segments(cx.db(), video.id, self.generation, &quality.rendition).await?;
            let whole = segments.iter().zip(0..).all(|(s, n)| s.n == n);
            if segments.is_empty() || !whole || (quality.kind == "video" && segments.len() as i64 != i64::from(expected)) {
                let error = format!("{} has {} of {expected} segments", quality.rendition, segments.len());
                return Err(Failure::Retry(error.into()));
            }
            let segments: Vec<playlist::Segment> = segments.iter().map(Into::into).collect();
            measured.push((quality.rendition, playlist::measure(grid.target_duration(), &segments)));
        }
        cx.complete(cx.db(), async |tx| {
            for (rendition, rate) in &measured {
                videos::set_measured(&mut *tx, video.id, self.generation, rendition, rate.peak, rate.average).await?;
            }
            Video::advance(&mut *tx, video.id, self.generation, Stage::Publishing).await?;
            videos::video_changed(tx, video.id, video.user_id).await.map(Into::into)
        })
        .await
    }
}
