//! Copies of a source that need no encoding: a file, or segments of the picture; and the look at its packets that says
//! whether that is wise. Only packets of the picture and of the sound pass: what else the upload held, and how it was
//! packed, stays behind.

use std::{ffi::OsString, path::Path, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

use super::{
    ClosedSegment, CopiedFile, CopySpec, Progress, ProgressFn,
    chunk::{hls_options, hls_output},
    segments::Announcer,
};
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Haste, Job, Tick, Work},
    grid::TIMESTAMP_BASE_SECONDS,
    ladder::Rendition,
    scan::{CUT_SLACK, Scan},
};

/// A copy is made no faster than this many bytes a second: it is written to disk before it is stored, and a disk is
/// faster than a store. At 8 Mbit/s, this is 64 times as fast as it plays.
const BYTES_PER_SECOND: f64 = 64e6;
/// The bounds of that, in seconds of picture a second.
const RATE: (f64, f64) = (30.0, 1000.0);

/// See [`crate::media::Transcoder::scan`].
pub(crate) async fn scan(
    transcoder: &FfmpegTranscoder,
    source: &Path,
    cancel: &CancellationToken,
) -> Result<Scan, MediaError> {
    let dir = transcoder.work_dir("scan")?;
    let path = dir.path().join("packets");
    let mut args: Vec<OsString> = transcoder.input(source).collect();
    args.extend(["-map", "0:V:0", "-c", "copy", "-f", "framecrc"].map(OsString::from));
    args.push(path.clone().into());
    let bytes = size(source);
    let work = Work {
        // A line has some fifty bytes, and few packets have less.
        file: bytes.saturating_mul(4).saturating_add(64 << 20),
        ..reading(bytes)
    };
    let job = Job {
        args,
        cwd: dir.path(),
        source,
        work,
        expected: Duration::ZERO,
    };
    transcoder.encode(job, &|_| {}, cancel).await?;
    let unreadable = |error: std::io::Error| {
        MediaError::transient("The list of packets cannot be read.").with_detail(error.to_string())
    };
    // By lines and never whole: a day has millions.
    let file = tokio::fs::File::open(&path).await.map_err(unreadable)?;
    let mut lines = BufReader::with_capacity(1 << 18, file).lines();
    let mut scan = Scan::default();
    while let Some(line) = lines.next_line().await.map_err(unreadable)? {
        scan.line(&line);
    }
    Ok(scan)
}

/// See [`crate::media::Transcoder::copy_file`].
pub(crate) async fn copy_file(
    transcoder: &FfmpegTranscoder,
    spec: &CopySpec,
    cancel: &CancellationToken,
) -> Result<CopiedFile, MediaError> {
    let dir = transcoder.work_dir("copy")?;
    let path = dir.path().join("copy.mp4");
    let mut args: Vec<OsString> = transcoder.input(&spec.source).collect();
    let track = spec.probe.audio.as_ref().map_or(0, |audio| audio.index);
    let sound = format!("0:a:{track}?");
    args.extend(["-map", "0:V:0", "-map", &sound].map(OsString::from));
    args.extend(copied().map(OsString::from));
    args.extend(["-map_metadata", "-1", "-map_chapters", "-1"].map(OsString::from));
    args.extend(
        [
            "-fflags",
            "+bitexact",
            "-movflags",
            "+faststart",
            "-f",
            "mp4",
        ]
        .map(OsString::from),
    );
    args.push(path.clone().into());
    let bytes = size(&spec.source);
    let work = Work {
        file: bytes.saturating_mul(2),
        ..reading(bytes)
    };
    let job = Job {
        args,
        cwd: dir.path(),
        source: &spec.source,
        work,
        expected: Duration::ZERO,
    };
    transcoder.encode(job, &|_| {}, cancel).await?;
    Ok(CopiedFile { path, _dir: dir })
}

/// See [`crate::media::Transcoder::copy_segments`].
pub(crate) async fn copy_segments(
    transcoder: &FfmpegTranscoder,
    spec: &CopySpec,
    closed: mpsc::Sender<ClosedSegment>,
    progress: ProgressFn<'_>,
    cancel: &CancellationToken,
) -> Result<(), MediaError> {
    let dir = transcoder.work_dir("copy")?;
    let cwd = dir.path().to_owned();
    let mut announcer = Announcer::new(dir, closed);
    let output = announcer.expect_some(Rendition::Source, spec.from_segment)?;

    // A second run copies from the start, too, and announces from where the first one stopped: a copy that begins in
    // the middle would be cut elsewhere.
    let mut args: Vec<OsString> = ["-readrate".into(), rate(spec).to_string().into()].into();
    args.extend(transcoder.input(&spec.source));
    args.extend(["-map", "0:V:0"].map(OsString::from));
    args.extend(copied().map(OsString::from));
    args.extend(
        hls_options(&spec.grid, 0, 0, CUT_SLACK, "")
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
    let bytes = size(&spec.source);
    let read = reading(bytes);
    let work = Work {
        // It is held back, too; see `rate`.
        seconds: read.seconds + spec.grid.duration(),
        file: bytes,
        ..read
    };
    let job = Job {
        args,
        cwd: &cwd,
        source: &spec.source,
        work,
        expected: Duration::ZERO,
    };
    announcer
        .follow(transcoder.encode(job, &report, cancel), cancel)
        .await
}

/// The codecs' own words for "as it is". The tag says that parameter sets come with the header, as players expect.
fn copied() -> [&'static str; 4] {
    ["-c", "copy", "-tag:v", "avc1"]
}

/// Seconds of picture that are copied in a second.
fn rate(spec: &CopySpec) -> i64 {
    let stated = spec.probe.video.as_ref().and_then(|video| video.bit_rate);
    let bytes_per_second = stated.map_or(1e6, |rate| rate as f64 / 8.0);
    (BYTES_PER_SECOND / bytes_per_second.max(1.0)).clamp(RATE.0, RATE.1) as i64
}

fn size(source: &Path) -> u64 {
    std::fs::metadata(source).map_or(0, |file| file.len())
}

/// What it takes to read so many bytes: a slow disk gives 20 MB a second, and five seconds of media are worth one of work.
fn reading(bytes: u64) -> Work {
    Work {
        seconds: bytes as f64 / 4e6,
        outputs: 1,
        haste: Haste::Awaited,
        ..Work::default()
    }
}
