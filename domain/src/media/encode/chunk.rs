//! A slice of the picture, decoded once and encoded into every rung, straight into segments that need no joining.

use std::{ffi::OsString, path::Path, time::Duration};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    ChunkSpec, ClosedSegment, Progress, ProgressFn,
    filters::{Slice, decimal, graph},
    segments::Announcer,
};
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Haste, Job, Tick, Work},
    grid::{Grid, TIMESTAMP_BASE_SECONDS},
    ladder::Rung,
    probe::VideoTrack,
};

/// Pixels a second that even a busy core manages at the preset in use; only the stall watchdog relies on it.
const SLOWEST_PIXELS_PER_SECOND: f64 = 10_000_000.0;

/// See [`crate::media::Transcoder::encode_chunk`].
pub(crate) async fn encode_chunk(
    transcoder: &FfmpegTranscoder,
    spec: &ChunkSpec,
    closed: mpsc::Sender<ClosedSegment>,
    progress: ProgressFn<'_>,
    cancel: &CancellationToken,
) -> Result<(), MediaError> {
    let Some(video) = &spec.probe.video else {
        return Err(MediaError::input("no_streams", "The file has no picture."));
    };
    let end = spec.chunk.first_segment + spec.chunk.segments;
    let from = spec.from_segment.clamp(spec.chunk.first_segment, end);
    if from == end || spec.ladder.is_empty() {
        return Ok(());
    }
    let first = i64::from(from) * i64::from(spec.grid.segment_frames);
    let frames = spec.chunk.first_frame + spec.chunk.frames - first;
    let slice = Slice::new(&spec.grid, video, &spec.probe.format, first, frames);
    let tone_map = video.hdr && transcoder.can_tone_map(cancel).await?;

    let dir = transcoder.work_dir("chunk")?;
    let mut args = Vec::new();
    if let Some(seek) = slice.seek(&spec.grid) {
        args.extend(["-noaccurate_seek", "-ss", &seek].map(OsString::from));
    }
    args.extend(transcoder.input(&spec.source));
    args.push("-filter_complex".into());
    args.push(graph(video, &spec.grid, &slice, &spec.ladder, tone_map).into());
    let cwd = dir.path().to_owned();
    let mut announcer = Announcer::new(dir, closed);
    for (i, rung) in spec.ladder.iter().enumerate() {
        let dir = announcer.expect(rung.rendition, from, from, end)?;
        args.extend(["-map".to_owned(), format!("[r{i}]")].map(OsString::from));
        args.extend(
            video_options(transcoder, &spec.grid, rung)
                .into_iter()
                .map(OsString::from),
        );
        let timescale = format!(":video_track_timescale={}", spec.grid.fps.timescale());
        args.extend(
            hls_options(&spec.grid, from, first, 1000, &timescale)
                .into_iter()
                .map(OsString::from),
        );
        args.extend(hls_output(&dir));
    }

    let pixels: i64 = spec.ladder.iter().map(Rung::pixels).sum();
    let per_segment =
        pixels as f64 * f64::from(spec.grid.segment_frames) / SLOWEST_PIXELS_PER_SECOND;
    let report = |tick: Tick| {
        let frame = first + tick.frame.clamp(0, frames);
        progress(Progress {
            frame,
            speed: tick.speed,
        });
    };
    let lead_in = slice.lead_in as f64 * pixels_of(video) / SLOWEST_PIXELS_PER_SECOND;
    let job = Job {
        args,
        cwd: &cwd,
        source: &spec.source,
        work: work(spec, video, &slice, pixels),
        expected: Duration::from_secs_f64(per_segment + lead_in),
    };
    announcer
        .follow(transcoder.encode(job, &report, cancel), cancel)
        .await
}

/// What a slice costs in rungs of together `pixels`. A source with few key frames is decoded from far before the slice; a
/// twentieth of all that is before it allows for that, since it is decoded only.
fn work(spec: &ChunkSpec, video: &VideoTrack, slice: &Slice, pixels: i64) -> Work {
    let picture = i64::from(video.width) * i64::from(video.height);
    let before = spec.grid.seconds(spec.chunk.first_frame) / 20.0;
    let seconds = spec.grid.seconds(slice.frames) + before.max(spec.grid.seconds(slice.lead_in));
    let rates = spec.ladder.iter().map(|rung| rung.max_bitrate);
    let bytes = f64::from(rates.max().unwrap_or(0)) / 8.0 * spec.grid.segment_seconds();
    Work {
        seconds,
        decoded: picture as f64 * video.fps.max(spec.grid.fps.as_f64()) * seconds,
        encoded: pixels as f64 * slice.frames as f64,
        picture,
        outputs: spec.ladder.len(),
        // The rate is capped over a buffer, not over a segment.
        file: bytes as u64 * 8,
        haste: match spec.chunk.chunk {
            0 => Haste::Awaited,
            _ => Haste::Usual,
        },
    }
}

fn pixels_of(video: &VideoTrack) -> f64 {
    f64::from(video.width) * f64::from(video.height)
}

/// x264 as every rung uses it: closed GOPs of a fixed number of frames, no extra key frames, capped quality.
fn video_options(transcoder: &FfmpegTranscoder, grid: &Grid, rung: &Rung) -> Vec<String> {
    let options = transcoder.options();
    let gop = grid.gop_frames.to_string();
    let words = [
        ("-c:v", "libx264".to_owned()),
        ("-preset", options.preset.clone()),
        ("-threads:v", options.threads.to_string()),
        ("-profile:v", "high".to_owned()),
        ("-pix_fmt", "yuv420p".to_owned()),
        ("-crf", rung.crf.to_string()),
        ("-maxrate", rung.max_bitrate.to_string()),
        ("-bufsize", rung.buffer_size().to_string()),
        ("-g", gop.clone()),
        ("-keyint_min", gop),
        ("-sc_threshold", "0".to_owned()),
        ("-flags:v", "+cgop+bitexact".to_owned()),
    ];
    words
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// The segmenter: fragmented MP4 on the common clock. Segments are cut at the first packet that may start one, `slack`
/// microseconds before the exact length or later: pictures are cut at key frames only, sound anywhere.
pub(super) fn hls_options(
    grid: &Grid,
    segment: i32,
    first_frame: i64,
    slack: i64,
    more: &str,
) -> Vec<String> {
    let length = grid.micros(i64::from(grid.segment_frames)) - slack;
    let offset = TIMESTAMP_BASE_SECONDS * 1_000_000 + grid.micros(first_frame);
    let words = [
        ("-map_metadata", "-1".to_owned()),
        ("-map_chapters", "-1".to_owned()),
        ("-fflags", "+bitexact".to_owned()),
        ("-output_ts_offset", decimal(offset)),
        ("-f", "hls".to_owned()),
        ("-hls_time", decimal(length)),
        ("-hls_list_size", "2".to_owned()),
        ("-hls_segment_type", "fmp4".to_owned()),
        ("-hls_flags", "temp_file".to_owned()),
        ("-hls_fmp4_init_filename", "init.mp4".to_owned()),
        ("-start_number", segment.to_string()),
        // Without the bit rate box, which is computed from the first segment, init segments are the same everywhere.
        (
            "-hls_segment_options",
            format!("movflags=+frag_discont:write_btrt=0{more}"),
        ),
    ];
    words
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}

/// Where a rendition's segments go.
pub(super) fn hls_output(dir: &Path) -> [OsString; 3] {
    [
        "-hls_segment_filename".into(),
        dir.join("seg_%d.m4s").into(),
        dir.join("index.m3u8").into(),
    ]
}
