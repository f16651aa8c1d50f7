//! How a source is cut into work: the grid, the ladder, and the chunks that workers encode in parallel.

use serde::{Deserialize, Serialize};

use super::{
    grid::{Fps, Grid},
    ladder::{Rung, ladder},
    probe::Probe,
};

/// Segments in the first chunk: 8 s, so that there is something to watch soon.
const FIRST_CHUNK_SEGMENTS: i32 = 2;
/// The shortest and longest of the other chunks, in seconds. Shorter wastes starts; longer hogs a worker.
const CHUNK_SECONDS: (f64, f64) = (24.0, 120.0);
/// How many chunks each worker slot gets, so that a slow one does not hold up the rest.
const CHUNKS_PER_SLOT: f64 = 4.0;
/// Sound that outlasts the picture by more than this keeps the last frame standing; less is cut.
const AUDIO_TAIL_SECONDS: f64 = 0.5;
/// The grid that times the segments of a file without a picture.
const AUDIO_ONLY_FPS: Fps = Fps::new(25, 1);

/// A slice of the grid that one job encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlan {
    /// Counts from 0.
    pub chunk: i32,
    /// The first frame on the grid.
    pub first_frame: i64,
    /// How many frames.
    pub frames: i64,
    /// The first segment, counted over the whole rendition.
    pub first_segment: i32,
    /// How many segments.
    pub segments: i32,
}

/// Everything that is decided about a source before the first frame is encoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The clock. A file without a picture has one too: it times the audio segments.
    pub grid: Grid,
    /// Qualities of the picture, best first; empty without a picture.
    pub ladder: Vec<Rung>,
    /// Slices of the picture; empty without a picture.
    pub chunks: Vec<ChunkPlan>,
    /// There is sound, so there is an audio rendition.
    pub audio: bool,
}

impl Plan {
    /// The plan for what `probe` found, for `slots` worker slots.
    pub fn new(probe: &Probe, slots: u32) -> Self {
        let audio = probe.audio.is_some();
        let Some(video) = &probe.video else {
            let grid = Grid::new(AUDIO_ONLY_FPS, probe.duration);
            return Self {
                grid,
                ladder: Vec::new(),
                chunks: Vec::new(),
                audio,
            };
        };
        let fps = Fps::nearest(video.fps);
        let mut grid = Grid::new(fps, video.end);
        if let Some(sound) = &probe.audio
            && sound.end > video.end + AUDIO_TAIL_SECONDS
        {
            grid = Grid::new(fps, sound.end);
        }
        let chunks = chunks(&grid, slots);
        Self {
            grid,
            ladder: ladder(video.width, video.height)
                .into_iter()
                .map(|rung| rung.for_rate(fps))
                .collect(),
            chunks,
            audio,
        }
    }

    /// How many segments all renditions together have when the video is complete.
    pub fn expected_segments(&self) -> i64 {
        let renditions = self.ladder.len() + usize::from(self.audio);
        i64::from(self.grid.segment_count()) * i64::try_from(renditions).unwrap_or(i64::MAX)
    }
}

/// Cuts the grid into chunks for `slots` worker slots: the first is 8 s, the others are equal within one segment,
/// 24-120 s long (shorter only when less is left).
pub fn chunks(grid: &Grid, slots: u32) -> Vec<ChunkPlan> {
    let total = grid.segment_count();
    let first = total.min(FIRST_CHUNK_SEGMENTS);
    let rest = total - first;
    let mut sizes = vec![first];
    if rest > 0 {
        let seconds = grid.segment_seconds();
        let shortest = (CHUNK_SECONDS.0 / seconds).round().max(1.0) as i32;
        let longest = (CHUNK_SECONDS.1 / seconds).floor().max(1.0) as i32;
        let wish = grid.duration() / (CHUNKS_PER_SLOT * f64::from(slots.max(1)));
        let wish = ((wish / seconds).round() as i32).clamp(shortest, longest);
        let mut count = (rest + wish - 1) / wish;
        if rest / count < shortest {
            count = (rest / shortest).max(1);
        }
        count = even(count, slots, rest / shortest);
        sizes.extend((0..count).map(|i| rest / count + i32::from(i < rest % count)));
    }

    let mut first_segment = 0;
    sizes
        .into_iter()
        .zip(0..)
        .map(|(segments, chunk)| {
            let first_frame = i64::from(first_segment) * i64::from(grid.segment_frames);
            let frames = (i64::from(segments) * i64::from(grid.segment_frames))
                .min(grid.frame_count - first_frame);
            let plan = ChunkPlan {
                chunk,
                first_frame,
                frames,
                first_segment,
                segments,
            };
            first_segment += segments;
            plan
        })
        .collect()
}

/// The nearest number of chunks that gives every slot as many, more of them if there may be `most`. Otherwise all but one
/// slot wait for the last chunk: 3 minutes in 7 chunks keep two slots busy for 1.77 times, in 6 for 1.95 times what one does.
fn even(count: i32, slots: u32, most: i32) -> i32 {
    let slots = i32::try_from(slots).unwrap_or(i32::MAX).max(1);
    let (whole, over) = (count / slots * slots, count % slots);
    if over == 0 || count < slots {
        count
    } else if whole.saturating_add(slots) <= most {
        whole + slots
    } else {
        whole
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_slot_gets_as_many_chunks() {
        let three_minutes = Grid::new(Fps::new(30, 1), 180.0);
        assert_eq!(chunks(&three_minutes, 2).len(), 1 + 6);
        assert_eq!(chunks(&three_minutes, 1).len(), 1 + 4);
        assert_eq!(even(5, 4, 9), 8);
        assert_eq!(even(5, 4, 7), 4);
        assert_eq!(even(3, 4, 100), 3);
    }

    proptest! {
        #[test]
        fn chunks_tile_the_grid(seconds in 0.01..50_000.0f64, rate in 1.0..130.0f64, slots in 0..64u32) {
            let grid = Grid::new(Fps::nearest(rate), seconds);
            let chunks = chunks(&grid, slots);
            let (mut frame, mut segment) = (0, 0);
            for (i, chunk) in chunks.iter().enumerate() {
                prop_assert_eq!(chunk.chunk, i as i32);
                prop_assert_eq!(chunk.first_frame, frame);
                prop_assert_eq!(chunk.first_segment, segment);
                let frames: i64 = (segment..segment + chunk.segments).map(|n| grid.frames_of_segment(n)).sum();
                prop_assert_eq!(chunk.frames, frames);
                prop_assert!(chunk.frames > 0);
                frame += chunk.frames;
                segment += chunk.segments;
                if i > 0 {
                    let length = f64::from(chunk.segments) * grid.segment_seconds();
                    prop_assert!(length <= 120.5, "{} s", length);
                    prop_assert!(length >= 23.9 || chunks.len() == 2, "{} s", length);
                }
            }
            prop_assert_eq!(frame, grid.frame_count);
            prop_assert_eq!(segment, grid.segment_count());
            prop_assert!(chunks[0].segments <= 2);
        }
    }

    #[test]
    fn an_hour_for_four_slots_is_cut_at_two_minutes() {
        let chunks = chunks(&Grid::new(Fps::new(25, 1), 3600.0), 4);
        assert_eq!(chunks[0].segments, 2);
        assert!(
            chunks[1..].iter().all(|c| (28..=29).contains(&c.segments)),
            "{chunks:?}"
        );
    }

    #[test]
    fn half_a_minute_is_two_chunks() {
        let chunks = chunks(&Grid::new(Fps::new(30, 1), 30.0), 2);
        assert_eq!(
            chunks.iter().map(|c| c.segments).collect::<Vec<_>>(),
            [2, 6]
        );
    }
}
