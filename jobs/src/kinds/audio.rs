//! encode_audio: the sound of a video, in one rendition of its own.

use std::{collections::HashMap, time::Duration};

use millrace_domain::{ids::VideoId, media::AudioSpec, videos};
use millrace_queue::{Done, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, part::{Part, announcements}, plan::Decided};

/// Encodes the sound of a video. Safe twice, as a chunk is: a second run begins after the last segment in the store.
#[derive(Debug, Serialize, Deserialize)]
pub struct EncodeAudio {
    pub video: VideoId,
    pub generation: i32,
}

impl EncodeAudio {
    /// The priority of the sound of a copied picture, which is watched before any chunk is made: after the copy.
    pub(crate) const BESIDE_COPY: i16 = -22;
}

impl Job for EncodeAudio {
    const KIND: &'static str = "encode_audio";
    const QUEUE: &'static str = "media";
    /// With the first chunk: nothing can be watched before both have begun.
    const PRIORITY: i16 = -20;
    const TIMEOUT: Duration = Duration::from_secs(3 * 60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let Decided { probe, plan, .. } = Decided::of(&video)?;
        let done = videos::leading_segments(cx.db(), self.video, self.generation, "audio").await?;
        let from_segment = i32::try_from(done.len()).or_fail("too many segments")?;
        let source = cx.source(&video).await?;
        let spec = AudioSpec {
            source: source.path().to_owned(),
            track: probe.audio.map_or(0, |audio| audio.index),
            grid: plan.grid,
            from_segment,
        };
        let part = Part {
            cx,
            video: &video,
            name: "audio".to_owned(),
            chunk: 0,
            grid: plan.grid,
            first_frame: 0,
            seconds: video.duration.unwrap_or_default(),
            pass: (0, 1),
            missing_from: HashMap::from([("audio".to_owned(), from_segment)]),
        };
        let (closed, announced) = announcements();
        let (report, stop) = (part.reporter(), cx.cancelled().child_token());
        let encode = cx.services().transcoder.encode_audio(&spec, closed, &report, &stop);
        part.store_beside(encode, announced, &stop).await?;
        Ok(Done::Completed)
    }
}
