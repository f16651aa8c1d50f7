//! What one run may use: CPU time, wall clock, memory, file size. Set by the kernel (`prlimit`), not by good will.
//!
//! The bounds follow from the work, many times what it takes on a slow core, so that they only ever end what was made
//! to be endless: a small file that unfolds into days of decoding, or fills the disk.

use std::time::Duration;

/// Settings of the operator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitOptions {
    /// Multiplies CPU time and wall clock. Slow presets need more than 1.
    pub factor: f64,
    /// Bytes of memory; 0 reckons them from the picture and the threads.
    pub memory: u64,
    /// Width times height times frames of the whole video.
    pub pixels: f64,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            factor: 1.0,
            memory: 0,
            pixels: 25e12,
        }
    }
}

/// What a run has to do, as far as it costs something.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Work {
    /// Seconds of media that are read.
    pub(crate) seconds: f64,
    /// Pixels that are decoded and filtered.
    pub(crate) decoded: f64,
    /// Pixels that are encoded.
    pub(crate) encoded: f64,
    /// Pixels of one picture of the source.
    pub(crate) picture: i64,
    /// How many pictures are made of each.
    pub(crate) outputs: usize,
    /// The largest file that can honestly come out, in bytes.
    pub(crate) file: u64,
    /// Whether somebody waits for it.
    pub(crate) haste: Haste,
}

/// Whether somebody waits for a run. Every encoder yields to the database and the API on the same machine; among
/// themselves those yield less whom somebody waits for. With equal shares, the sound of an hour takes a third of two
/// cores away from the first chunk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Nothing can be watched before it is done.
    Awaited,
    /// It takes its time.
    #[default]
    Usual,
    /// After a moment it is far ahead of what is needed.
    Ahead,
}

impl Haste {
    /// As `nice` understands it: two cores share by 7, 2 and 1 parts or so.
    pub(super) fn nice(self) -> i32 {
        match self {
            Self::Awaited => 5,
            Self::Usual => 10,
            Self::Ahead => 13,
        }
    }
}

/// The bounds of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) cpu: Duration,
    /// From start to end, whatever it does.
    pub(crate) wall: Duration,
    /// Private writable memory in bytes, stacks included, used or not.
    pub(crate) memory: u64,
    /// Bytes of any one file.
    pub(crate) file: u64,
    /// How much it yields.
    pub(crate) nice: i32,
}

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Measured on one core of a small server: 80 million pixels a second into x264 veryfast, 150 out of an HEVC decoder,
/// 20 through tone mapping.
const ENCODED_PER_SECOND: f64 = 5e6;
const DECODED_PER_SECOND: f64 = 5e6;
/// Sound decodes a hundred times faster than it plays; reading packets is faster still.
const SPEED: f64 = 5.0;
/// What anything may take, busy machine and all.
const START: Duration = Duration::from_secs(120);
/// More than a year of CPU time is no limit.
const MOST: f64 = 4e7;

impl Limits {
    /// For looking at a file.
    pub(crate) const PROBE: Self = Self {
        cpu: Duration::from_secs(45),
        wall: Duration::from_secs(120),
        memory: 2 * GIB,
        file: MIB,
        nice: 5,
    };

    /// For `work` on `threads` threads a codec.
    pub(crate) fn of(work: &Work, threads: u32, options: &LimitOptions) -> Self {
        let seconds = work.seconds / SPEED
            + work.decoded / DECODED_PER_SECOND
            + work.encoded / ENCODED_PER_SECOND;
        let seconds = (START.as_secs_f64() + seconds) * options.factor;
        let cpu = Duration::from_secs_f64(seconds.clamp(1.0, MOST));
        let memory = match options.memory {
            0 => memory(work, threads),
            bytes => bytes,
        };
        Self {
            cpu,
            // A run on one core ends by its CPU time; only one that waits, or starves, ends by the clock.
            wall: cpu * 2 + START,
            memory,
            file: work.file.saturating_add(16 * MIB),
            nice: work.haste.nice(),
        }
    }
}

/// Measured for 1080p into four rungs: 0.75 GB with 2 threads (0.46 resident), 2.9 GB with 16 (1.1 resident). Half of
/// it is stacks and arenas of threads that are never touched, which the kernel counts all the same.
fn memory(work: &Work, threads: u32) -> u64 {
    let threads = u64::from(threads.max(1));
    let outputs = work.outputs as u64;
    let stacks = (outputs + 1) * (threads * 3 / 2 + 4) * 24 * MIB;
    // References, frames in flight in each thread, and floating-point copies while tone mapping.
    let source = work.picture.max(0) as u64 * 8 * (24 + 2 * threads);
    // No rung is larger than the source; the look-ahead of x264 is 40 frames and some.
    let encoders =
        work.picture.clamp(0, 1920 * 1088 * 2) as u64 * 2 * (60 + 2 * threads) * outputs.min(2);
    GIB + stacks + source + encoders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_work_and_leave_much_to_spare() {
        // 8 s of 1080p30 into four rungs: 9 CPU seconds and 0.75 GB when it was measured.
        let work = Work {
            seconds: 8.0,
            decoded: 240.0 * 2_073_600.0,
            encoded: 240.0 * 3_600_000.0,
            picture: 2_073_600,
            outputs: 4,
            file: 4_000_000,
            haste: Haste::Usual,
        };
        let limits = Limits::of(&work, 2, &LimitOptions::default());
        assert!((300..700).contains(&limits.cpu.as_secs()), "{limits:?}");
        assert!(limits.wall > limits.cpu);
        assert!((2 * GIB..4 * GIB).contains(&limits.memory), "{limits:?}");
        assert!(Limits::of(&work, 16, &LimitOptions::default()).memory > 5 * GIB);
        let options = LimitOptions {
            factor: 3.0,
            memory: 5,
            ..LimitOptions::default()
        };
        let wider = Limits::of(&work, 2, &options);
        assert_eq!((wider.cpu, wider.memory), (limits.cpu * 3, 5));
    }

    #[test]
    fn no_work_is_too_large_to_reckon() {
        let work = Work {
            seconds: f64::MAX,
            decoded: f64::INFINITY,
            encoded: 0.0,
            picture: i64::MAX / 1_000_000,
            outputs: 5,
            file: u64::MAX,
            haste: Haste::Awaited,
        };
        let limits = Limits::of(&work, 1, &LimitOptions::default());
        assert_eq!(limits.cpu, Duration::from_secs_f64(MOST));
        assert_eq!(limits.file, u64::MAX);
    }
}
