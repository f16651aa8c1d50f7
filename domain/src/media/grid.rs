//! The constant-frame-rate grid: the one clock that every chunk, rendition and worker agrees on.
//!
//! Frame `k` is shown at `k * den / num` seconds after the start of the file, whatever the source's own timestamps say. A
//! segment is two GOPs of about two seconds, so its length is exact in microseconds for every rate below: 4 s, or 4.004 s.
//! Numbers are signed because they are columns.

use serde::{Deserialize, Serialize};

/// Every timestamp in every segment is shifted by this much: B-frames decode before they show, and with a base of zero
/// the first boundary between chunks overlaps by 80 ms.
pub const TIMESTAMP_BASE_SECONDS: i64 = 10;

/// Rates that are kept; anything else goes to the nearest. 60 is the ceiling.
const STANDARD: [Fps; 13] = [
    Fps::new(10, 1),
    Fps::new(12, 1),
    Fps::new(25, 2),
    Fps::new(15_000, 1001),
    Fps::new(15, 1),
    Fps::new(20, 1),
    Fps::new(24_000, 1001),
    Fps::new(24, 1),
    Fps::new(25, 1),
    Fps::new(30_000, 1001),
    Fps::new(30, 1),
    Fps::new(48, 1),
    Fps::new(50, 1),
];
const FAST: [Fps; 2] = [Fps::new(60_000, 1001), Fps::new(60, 1)];

/// A last segment of one or two frames is stretched to three. x264 times fewer frames than its reordering delay
/// differently, so that a run that makes only this segment would need an init segment of its own.
const SHORTEST_TAIL: i64 = 3;

/// Frames a second, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fps {
    /// Numerator.
    pub num: i32,
    /// Denominator.
    pub den: i32,
}

impl Fps {
    /// `num/den`.
    pub const fn new(num: i32, den: i32) -> Self {
        Self { num, den }
    }

    /// As a float, for comparing and for showing.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// The standard rate nearest to `rate` frames a second (by ratio), 60 at most.
    pub fn nearest(rate: f64) -> Self {
        let distance = |fps: &Fps| (fps.as_f64() / rate.max(0.1)).ln().abs();
        let mut best = Fps::new(30, 1);
        for fps in STANDARD.iter().chain(&FAST) {
            if distance(fps) < distance(&best) {
                best = *fps;
            }
        }
        best
    }

    /// Units a second in which every frame has a whole length; at least 10,000, as MP4 players expect.
    pub fn timescale(self) -> i32 {
        if self.num >= 10_000 {
            self.num
        } else {
            self.num * 1000
        }
    }
}

/// The grid of one video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// The rate.
    pub fps: Fps,
    /// How many frames there are.
    pub frame_count: i64,
    /// Frames from one key frame to the next.
    pub gop_frames: i32,
    /// Frames in a segment: two GOPs.
    pub segment_frames: i32,
}

impl Grid {
    /// The grid for `seconds` of picture at `fps`; at least one frame.
    pub fn new(fps: Fps, seconds: f64) -> Self {
        let gop_frames = (2.0 * fps.as_f64()).round().max(1.0) as i32;
        let exact = (seconds * fps.as_f64()).round().max(1.0) as i64;
        let (whole, tail) = (
            exact - exact % i64::from(2 * gop_frames),
            exact % i64::from(2 * gop_frames),
        );
        let frame_count = if whole > 0 && tail > 0 {
            whole + tail.max(SHORTEST_TAIL)
        } else {
            exact
        };
        Self {
            fps,
            frame_count,
            gop_frames,
            segment_frames: 2 * gop_frames,
        }
    }

    /// The instant of a frame, in microseconds from the start, rounded.
    pub fn micros(&self, frame: i64) -> i64 {
        let num = i128::from(self.fps.num);
        let exact = i128::from(frame) * i128::from(self.fps.den) * 1_000_000;
        i64::try_from((exact + num / 2).div_euclid(num)).unwrap_or(i64::MAX)
    }

    /// The instant of a frame in seconds.
    pub fn seconds(&self, frame: i64) -> f64 {
        frame as f64 * f64::from(self.fps.den) / f64::from(self.fps.num)
    }

    /// The whole length in seconds.
    pub fn duration(&self) -> f64 {
        self.seconds(self.frame_count)
    }

    /// The length of a full segment in seconds.
    pub fn segment_seconds(&self) -> f64 {
        self.seconds(i64::from(self.segment_frames))
    }

    /// How many segments each rendition has.
    pub fn segment_count(&self) -> i32 {
        let segment = i64::from(self.segment_frames.max(1));
        i32::try_from((self.frame_count + segment - 1) / segment).unwrap_or(i32::MAX)
    }

    /// How many frames segment `n` has; the last one may be short.
    pub fn frames_of_segment(&self, n: i32) -> i64 {
        let first = i64::from(n) * i64::from(self.segment_frames);
        (self.frame_count - first).clamp(0, i64::from(self.segment_frames))
    }

    /// EXT-X-TARGETDURATION of every playlist of this video.
    pub fn target_duration(&self) -> i32 {
        self.segment_seconds().round().max(1.0) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_rates_are_kept_and_others_go_to_the_nearest() {
        for (rate, num, den) in [
            (24.0, 24, 1),
            (23.976, 24_000, 1001),
            (25.0, 25, 1),
            (29.97, 30_000, 1001),
            (30.0, 30, 1),
            (50.0, 50, 1),
            (59.94, 60_000, 1001),
            (60.0, 60, 1),
            (120.0, 60, 1),
            (1000.0, 60, 1),
            (0.0, 10, 1),
            (26.1, 25, 1),
            (17.0, 15, 1),
        ] {
            assert_eq!(Fps::nearest(rate), Fps::new(num, den), "{rate}");
        }
    }

    #[test]
    fn segments_are_exact_in_microseconds() {
        for fps in STANDARD.iter().chain(&FAST) {
            let grid = Grid::new(*fps, 100.0);
            let exact = i64::from(grid.segment_frames) * i64::from(fps.den) * 1_000_000;
            assert_eq!(exact % i64::from(fps.num), 0, "{fps:?}");
            let micros = grid.micros(i64::from(grid.segment_frames));
            assert!(
                micros == 4_000_000 || micros == 4_004_000,
                "{fps:?}: {micros}"
            );
            assert_eq!(
                i64::from(fps.timescale()) * i64::from(fps.den) % i64::from(fps.num),
                0,
                "{fps:?}"
            );
        }
    }

    #[test]
    fn a_tail_is_long_enough_to_be_reordered() {
        let frames = |seconds| Grid::new(Fps::new(25, 1), seconds).frame_count;
        assert_eq!([0.04, 0.08, 4.0].map(frames), [1, 2, 100]);
        assert_eq!([4.04, 4.08, 4.12, 4.16].map(frames), [103, 103, 103, 104]);
    }

    #[test]
    fn ntsc_segments_have_120_frames() {
        let grid = Grid::new(Fps::new(30_000, 1001), 31.32);
        assert_eq!(
            (grid.segment_frames, grid.frame_count, grid.segment_count()),
            (120, 939, 8)
        );
        assert_eq!(grid.frames_of_segment(7), 99);
        assert_eq!(grid.frames_of_segment(8), 0);
        assert_eq!(grid.target_duration(), 4);
    }
}
