//! What probe decided, as later jobs read it: kept whole in the video's row, so that no job decides again.

use millrace_domain::{
    ids::VideoId,
    media::{Fast, Plan, Probe},
    videos::Video,
};
use millrace_queue::{Failure, OrOutcome as _};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The probe's findings and the plan made of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Decided {
    pub(crate) probe: Probe,
    pub(crate) plan: Plan,
    /// Whether copies are made, and why not.
    #[serde(default)]
    pub(crate) fast: Fast,
    /// Who makes the ladder. Decided once: a try after a failure goes on where the last one stopped.
    #[serde(default)]
    pub(crate) by: Encoder,
}

/// Who makes a ladder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoder {
    /// The workers, chunk by chunk.
    #[default]
    Ffmpeg,
    /// MediaConvert, from one end to the other.
    MediaConvert,
}

impl Decided {
    pub(crate) fn of(video: &Video) -> Result<Self, Failure> {
        let value = video.probe.clone().or_fail("the video was not probed")?;
        serde_json::from_value(value).or_fail("the video's plan cannot be read")
    }
}

/// The group of all jobs that make one generation of a video: cancelled together.
pub(crate) fn group(video: VideoId, generation: i32) -> Uuid {
    // Derived, so that nobody must store it; the tail of a UUIDv7 is random, so neighbours of one are nobody's.
    Uuid::from_u128(
        video
            .0
            .as_u128()
            .wrapping_add(u128::from(generation.unsigned_abs())),
    )
}

/// The part of a video that a chunk's progress is counted under.
pub(crate) fn part_of_chunk(chunk: i32) -> String {
    format!("c{chunk:04}")
}
