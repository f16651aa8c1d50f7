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
    setbacks::Setbacks,
};

/// Encodes one slice of a video into every rung, straight into segments.
/// Safe twice: each run writes under its own prefix, rows are inserted under its lease, and a second run begins
/// after the last segment that all rungs have.
/// When memory is short it makes the same segments in several passes, of fewer rungs each.
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
        let Decided { probe, plan, .. } = Decided::of(&video)?;
        let chunk = plan.chunks.iter().find(|c| c.chunk == self.chunk);
        let chunk = *chunk.or_fail("there is no such chunk")?;
        let end = chunk.first_segment + chunk.segments;
        let missing_from = self.missing_from(cx, &plan.ladder, &chunk).await?;
        let from_segment = earliest(&missing_from, end);
        if from_segment == end {
            return Ok(Done::Completed);
        }
        let source = cx.source(&video).await?;
        let mut spec = ChunkSpec {
            source: source.path().to_owned(),
            probe,
            grid: plan.grid,
            ladder: Vec::new(),
            chunk,
            from_segment,
        };
        let passes = passes(&plan.ladder, Setbacks::of(cx).memory);
        let count = u32::try_from(passes.len()).or_fail("too many rungs")?;
        for (pass, rungs) in (0..count).zip(passes) {
            let missing_from = self.missing_from(cx, rungs, &chunk).await?;
            spec.from_segment = earliest(&missing_from, end);
            if spec.from_segment == end {
                continue;
            }
            spec.ladder = rungs.to_vec();
            let part = Part {
                cx,
                video: &video,
                name: part_of_chunk(self.chunk),
                chunk: self.chunk,
                grid: spec.grid,
                first_frame: chunk.first_frame,
                seconds: spec.grid.seconds(chunk.frames),
                pass: (pass, count),
                missing_from,
            };
            let (closed, announced) = announcements();
            let (report, stop) = (part.reporter(), cx.cancelled().child_token());
            let encode = cx.services().transcoder.encode_chunk(&spec, closed, &report, &stop);
            part.store_beside(encode, announced, &stop).await?;
        }
        let missing = end - earliest(&self.missing_from(cx, &plan.ladder, &chunk).await?, end);
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

/// The rungs of each pass: all of them at once, so that the source is decoded once, unless memory was short. Then in two
/// passes, and then one by one; the segments are the same.
fn passes(ladder: &[Rung], setbacks: u8) -> Vec<&[Rung]> {
    let rungs = match setbacks {
        0 => ladder.len(),
        1 => ladder.len().div_ceil(2),
        _ => 1,
    };
    ladder.chunks(rungs.max(1)).collect()
}

/// Where to begin so that no rung lacks anything.
fn earliest(missing_from: &HashMap<String, i32>, end: i32) -> i32 {
    missing_from.values().copied().min().unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use millrace_domain::media::ladder;

    use super::*;

    #[test]
    fn passes_cover_every_rung_once() {
        let ladder = ladder(1920, 1080);
        for (setbacks, most) in [(0, ladder.len()), (1, ladder.len().div_ceil(2)), (2, 1), (9, 1)] {
            let cut = passes(&ladder, setbacks);
            assert!(cut.iter().all(|pass| !pass.is_empty() && pass.len() <= most));
            assert_eq!(cut.concat(), ladder);
        }
        assert_eq!(passes(&[], 0), Vec::<&[Rung]>::new());
    }
}
