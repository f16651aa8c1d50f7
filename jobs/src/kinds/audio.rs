//! encode_audio: the sound of a video, in one rendition of its own.

use std::time::Duration;

use millrace_domain::{
    ids::VideoId,
    media::AudioSpec,
    videos::{self, Video},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::chunk::part_reporter;
use crate::{Job, JobContext, context::media_failure, plan::Decided, publisher::Publisher};

/// Encodes the sound of a video. Safe twice, as a chunk is: a second run begins after the last segment in the store.
#[derive(Debug, Serialize, Deserialize)]
pub struct EncodeAudio {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for EncodeAudio {
    const KIND: &'static str = "encode_audio";
    const QUEUE: &'static str = "media";
    const MAX_ATTEMPTS: u16 = 5;
    /// With the first chunk: nothing can be watched before both have begun.
    const PRIORITY: i16 = -20;
    const TIMEOUT: Duration = Duration::from_secs(3 * 60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let plan = Decided::of(&video)?.plan;
        let stored = videos::segments(cx.db(), self.video, self.generation, "audio").await?;
        let done = stored.iter().zip(0..).take_while(|(s, n)| s.n == *n).count();
        let source = cx.source(&video).await?;
        let spec = AudioSpec {
            source: source.path().to_owned(),
            grid: plan.grid,
            from_segment: i32::try_from(done).or_fail("too many segments")?,
        };
        self.encode(cx, &video, &spec).await?;
        Ok(Done::Completed)
    }
}

impl EncodeAudio {
    async fn encode(&self, cx: &JobContext, video: &Video, spec: &AudioSpec) -> Result<(), Failure> {
        let (closed, announced) = mpsc::channel(16);
        let whole = video.duration.unwrap_or_default().max(0.001);
        let report = part_reporter(cx, video, "audio".to_owned(), spec.grid, 0, whole);
        let cancel = cx.cancelled();
        let stop = cancel.child_token();
        let encode = cx.services().transcoder.encode_audio(spec, closed, &report, &stop);
        let publish = async {
            let published = Publisher::new(cx, video, 0).run(announced).await;
            if published.is_err() {
                stop.cancel();
            }
            published
        };
        let (encoded, published) = tokio::join!(encode, publish);
        published?;
        encoded.map_err(media_failure)
    }
}
