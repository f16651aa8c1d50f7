//! The audio rendition: AAC-LC, 48 kHz, stereo, cut where the picture is cut, to within one AAC frame.
//!
//! A picture segment of 4 or 4.004 s is no whole number of AAC frames, so the cut wanders by less than a frame and falls
//! on the same place again every 2 or 16 segments. A resumed run starts at such a place: then its cuts, counted from
//! its own start, are those of a run that started at zero.

use std::{ffi::OsString, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    AudioSpec, ClosedSegment, Progress, ProgressFn,
    chunk::{hls_options, hls_output},
    segments::Announcer,
};
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Haste, Job, Tick, Work},
    grid::{Grid, TIMESTAMP_BASE_SECONDS},
    ladder::{AUDIO_BITRATE, Rendition},
};

const SAMPLE_RATE: i64 = 48_000;
/// Samples in an AAC frame, and the length of the encoder's run-up: its first packet comes one frame before the sound.
const FRAME: i64 = 1024;
/// Frames that a resumed encoder is given, and whose packets are dropped, so that its first kept one overlaps rightly.
const RUN_UP: i64 = 2;
/// How much faster than real time even a busy core decodes and encodes sound.
const SLOWEST_SPEED: f64 = 20.0;

/// Where a run starts and ends, in samples and segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    /// The first segment that is made.
    first_segment: i32,
    /// The sample that the first segment's sound starts at, a whole number of AAC frames; its first packet is the one
    /// before.
    first_sample: i64,
    /// The sample after the last one.
    end_sample: i64,
}

impl Cut {
    fn new(grid: &Grid, from_segment: i32) -> Self {
        let segment_micros = grid.micros(i64::from(grid.segment_frames));
        // Frames in a segment, as a fraction: micros * 48000 / (1024 * 10^6).
        let (above, below) = (segment_micros * SAMPLE_RATE, FRAME * 1_000_000);
        let period = below / gcd(above, below);
        let first = i64::from(from_segment) / period * period;
        let first_sample = first * above / below * FRAME;

        // The packet that would open one segment more than the picture has.
        let count = i64::from(grid.segment_count());
        let beyond = i128::from(count) * i128::from(above);
        let beyond =
            i64::try_from(beyond.div_euclid(i128::from(below))).unwrap_or(i64::MAX / FRAME - 1);
        let exact = i128::from(count) * i128::from(above) % i128::from(below) == 0;
        let beyond = if exact { beyond - 1 } else { beyond };
        let whole = (grid.duration() * SAMPLE_RATE as f64).round() as i64;
        Self {
            first_segment: i32::try_from(first).unwrap_or(i32::MAX),
            first_sample,
            end_sample: whole.min(beyond * FRAME).max(1),
        }
    }

    fn filters(&self) -> String {
        let end = self.end_sample;
        let mut filters = format!(
            "aresample={SAMPLE_RATE}:async=1:first_pts=0,aformat=sample_fmts=fltp:channel_layouts=stereo,\
             apad,atrim=end_sample={end}"
        );
        if self.first_sample > 0 {
            filters.push_str(&format!(
                ",atrim=start_sample={}",
                self.first_sample - RUN_UP * FRAME
            ));
        }
        filters
    }
}

/// See [`crate::media::Transcoder::encode_audio`].
pub(crate) async fn encode_audio(
    transcoder: &FfmpegTranscoder,
    spec: &AudioSpec,
    closed: mpsc::Sender<ClosedSegment>,
    progress: ProgressFn<'_>,
    cancel: &CancellationToken,
) -> Result<(), MediaError> {
    let end = spec.grid.segment_count();
    if spec.from_segment >= end {
        return Ok(());
    }
    let cut = Cut::new(&spec.grid, spec.from_segment.max(0));
    let dir = transcoder.work_dir("audio")?;
    let cwd = dir.path().to_owned();
    let mut announcer = Announcer::new(dir, closed);
    let output = announcer.expect(Rendition::Audio, cut.first_segment, spec.from_segment, end)?;

    // Read from the start even when resuming: sound decodes a hundred times faster than it plays, and a seek in
    // compressed sound is not exact to the sample.
    let mut args: Vec<OsString> = transcoder.input(&spec.source).collect();
    let words = [
        ("-map", format!("0:a:{}", spec.track)),
        ("-af", cut.filters()),
        ("-c:a", "aac".to_owned()),
        ("-b:a", AUDIO_BITRATE.to_string()),
        ("-flags:a", "+bitexact".to_owned()),
    ];
    args.extend(
        words
            .into_iter()
            .flat_map(|(name, value)| [name.into(), value.into()]),
    );
    if cut.first_sample > 0 {
        let drop = format!("noise=drop=lt(pts\\,{})", cut.first_sample - FRAME);
        args.extend(["-bsf:a".into(), drop.into()]);
    }
    args.extend(
        hls_options(&spec.grid, cut.first_segment, 0, 0, "")
            .into_iter()
            .map(OsString::from),
    );
    args.extend(hls_output(&output));

    let report = |tick: Tick| {
        let seconds = (tick.out_time.as_secs_f64() - TIMESTAMP_BASE_SECONDS as f64).max(0.0);
        let frame = (seconds * spec.grid.fps.as_f64()) as i64;
        progress(Progress {
            frame: frame.min(spec.grid.frame_count),
            speed: tick.speed,
        });
    };
    let expected =
        Duration::from_secs_f64(cut.first_sample as f64 / SAMPLE_RATE as f64 / SLOWEST_SPEED);
    let work = Work {
        seconds: spec.grid.duration(),
        outputs: 1,
        haste: Haste::Ahead,
        // A segment of sound is far below what every run may write.
        ..Work::default()
    };
    let job = Job {
        args,
        cwd: &cwd,
        source: &spec.source,
        work,
        expected,
    };
    announcer
        .follow(transcoder.encode(job, &report, cancel), cancel)
        .await
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Fps;

    #[test]
    fn a_resumed_run_starts_where_the_cut_repeats() {
        let ntsc = Grid::new(Fps::new(30_000, 1001), 400.0);
        assert_eq!(Cut::new(&ntsc, 15).first_segment, 0);
        let cut = Cut::new(&ntsc, 37);
        assert_eq!((cut.first_segment, cut.first_sample), (32, 2 * 3003 * 1024));
        let pal = Grid::new(Fps::new(25, 1), 400.0);
        let cut = Cut::new(&pal, 7);
        assert_eq!((cut.first_segment, cut.first_sample), (6, 3 * 375 * 1024));
    }

    #[test]
    fn sound_never_opens_a_segment_that_the_picture_lacks() {
        // 8 s are 375 frames; the 375th packet (from -1) would be the first of a third segment.
        assert_eq!(
            Cut::new(&Grid::new(Fps::new(25, 1), 8.0), 0).end_sample,
            374 * 1024
        );
        assert_eq!(
            Cut::new(&Grid::new(Fps::new(25, 1), 7.0), 0).end_sample,
            7 * 48_000
        );
    }
}
