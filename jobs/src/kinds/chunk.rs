//! encode_chunk: one slice of a video, decoded once, in every rung.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use millrace_domain::{
    ids::VideoId,
    media::{ChunkSpec, Grid, Progress, Rung},
    videos::{self, PartProgress, Video},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    Job, JobContext,
    context::media_failure,
    plan::{Decided, part_of_chunk},
    publisher::Publisher,
};

/// Encodes one slice of a video into every rung, straight into segments.
/// Safe twice: each run writes under its own prefix, rows are inserted under its lease, and a second run begins
/// after the last segment that all rungs have.
#[derive(Debug, Serialize, Deserialize)]
pub struct EncodeChunk {
    pub video: VideoId,
    pub generation: i32,
    pub chunk: i32,
}

impl EncodeChunk {
    /// The priority of chunk 0, which somebody waits for.
    pub(crate) const FIRST: i16 = -20;
}

impl Job for EncodeChunk {
    const KIND: &'static str = "encode_chunk";
    const QUEUE: &'static str = "media";
    const MAX_ATTEMPTS: u16 = 5;
    /// A slice lasts at most two minutes; even at a twentieth of real time it ends within this.
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let Decided { probe, plan } = Decided::of(&video)?;
        let chunk = *plan.chunks.iter().find(|c| c.chunk == self.chunk).or_fail("there is no such chunk")?;
        let done = self.done(cx, &plan.ladder, chunk.first_segment, chunk.segments).await?;
        if done == chunk.segments {
            return Ok(Done::Completed);
        }
        let source = cx.source(&video).await?;
        let spec = ChunkSpec {
            source: source.path().to_owned(),
            probe,
            grid: plan.grid,
            ladder: plan.ladder.clone(),
            chunk,
            from_segment: chunk.first_segment + done,
        };
        self.encode(cx, &video, &spec).await?;
        let done = self.done(cx, &plan.ladder, chunk.first_segment, chunk.segments).await?;
        if done < chunk.segments {
            let error = format!("{done} of {} segments were made", chunk.segments);
            return Err(Failure::Retry(error.into()));
        }
        Ok(Done::Completed)
    }
}

impl EncodeChunk {
    /// Segments that every rung has, from the chunk's first on.
    async fn done(
        &self,
        cx: &JobContext,
        ladder: &[Rung],
        first: i32,
        count: i32,
    ) -> Result<i32, Failure> {
        let done = videos::segments_of_chunk(cx.db(), self.video, self.generation, first, count).await?;
        Ok(ladder
            .iter()
            .map(|rung| done.get(rung.rendition.as_str()).copied().unwrap_or_default())
            .min()
            .unwrap_or_default())
    }

    async fn encode(&self, cx: &JobContext, video: &Video, spec: &ChunkSpec) -> Result<(), Failure> {
        let (closed, announced) = mpsc::channel(16);
        let whole = spec.grid.seconds(spec.chunk.frames);
        let report = part_reporter(cx, video, part_of_chunk(self.chunk), spec.grid, spec.chunk.first_frame, whole);
        let cancel = cx.cancelled();
        // A store that fails stops the encoder: nobody takes what it makes.
        let stop = cancel.child_token();
        let encode = cx.services().transcoder.encode_chunk(spec, closed, &report, &stop);
        let publish = async {
            let published = Publisher::new(cx, video, self.chunk).run(announced).await;
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

/// Tells how many seconds of a part are done, to the video's progress and to the job's own. The part begins at frame
/// `first` of the grid and lasts `whole` seconds.
pub(super) fn part_reporter(
    cx: &JobContext,
    video: &Video,
    part: String,
    grid: Grid,
    first: i64,
    whole: f64,
) -> impl Fn(Progress) + Send + Sync {
    let (id, generation) = (video.id, video.generation);
    let n = AtomicI64::new(0);
    move |progress| {
        let done = grid.seconds((progress.frame - first).max(0)).min(whole);
        cx.progress((done / whole.max(0.001) * 100.0) as f32, "encoding");
        cx.services().progress.report(PartProgress {
            video: id,
            generation,
            part: part.clone(),
            run_no: cx.run_no,
            n: n.fetch_add(1, Ordering::Relaxed),
            done,
        });
    }
}
