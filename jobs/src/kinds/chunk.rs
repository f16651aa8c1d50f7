//! encode_chunk: one slice of a video, decoded once, in every rung.

use std::{collections::HashMap, time::Duration};

use millrace_domain::{
    ids::VideoId,
    media::{ChunkPlan, ChunkSpec, Rung},
    videos,
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    part::{Part, announcements},
    plan::{Decided, part_of_chunk},
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
    /// A slice lasts at most two minutes; even at a twentieth of real time it ends within this.
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let Decided { probe, plan } = Decided::of(&video)?;
        let chunk = plan.chunks.iter().find(|c| c.chunk == self.chunk);
        let chunk = *chunk.or_fail("there is no such chunk")?;
        let end = chunk.first_segment + chunk.segments;
        let missing_from = self.missing_from(cx, &plan.ladder, &chunk).await?;
        let from_segment = earliest(&missing_from, end);
        if from_segment == end {
            return Ok(Done::Completed);
        }
        let source = cx.source(&video).await?;
        let spec = ChunkSpec {
            source: source.path().to_owned(),
            probe,
            grid: plan.grid,
            ladder: plan.ladder,
            chunk,
            from_segment,
        };
        let part = Part {
            cx,
            video: &video,
            name: part_of_chunk(self.chunk),
            chunk: self.chunk,
            grid: spec.grid,
            first_frame: chunk.first_frame,
            seconds: spec.grid.seconds(chunk.frames),
            missing_from,
        };
        let (closed, announced) = announcements();
        let (report, stop) = (part.reporter(), cx.cancelled().child_token());
        let encode = cx.services().transcoder.encode_chunk(&spec, closed, &report, &stop);
        part.store_beside(encode, announced, &stop).await?;
        let missing = end - earliest(&self.missing_from(cx, &spec.ladder, &chunk).await?, end);
        if missing > 0 {
            let error = format!("{missing} of {} segments were not made", chunk.segments);
            return Err(Failure::Retry(error.into()));
        }
        Ok(Done::Completed)
    }
}

impl EncodeChunk {
    /// The first segment of each rung, from the chunk's first on, that is not in the store.
    async fn missing_from(
        &self,
        cx: &JobContext,
        ladder: &[Rung],
        chunk: &ChunkPlan,
    ) -> Result<HashMap<String, i32>, Failure> {
        let (first, count) = (chunk.first_segment, chunk.segments);
        let done =
            videos::segments_of_chunk(cx.db(), self.video, self.generation, first, count).await?;
        Ok(ladder
            .iter()
            .map(|rung| rung.rendition.as_str())
            .map(|name| (name.to_owned(), first + done.get(name).copied().unwrap_or_default()))
            .collect())
    }
}

/// Where to begin so that no rung lacks anything.
fn earliest(missing_from: &HashMap<String, i32>, end: i32) -> i32 {
    missing_from.values().copied().min().unwrap_or(end)
}
