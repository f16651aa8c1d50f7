//! The poster: a telling frame near the beginning, as JPEG; for sound, its cover or its waveform.

use std::{ffi::OsString, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    Poster, PosterSpec,
    filters::{decimal, still},
    waveform::{cover, waveform},
};
use crate::media::{
    error::{Class, MediaError},
    ffmpeg::{FfmpegTranscoder, Job, Work},
    probe::VideoTrack,
};

/// Pixels; enough for a page, little enough for a list.
const MAX_WIDTH: i32 = 1280;
/// How much is decoded for it at most: ten seconds, and what comes before from the last key frame on.
const POSTER_SECONDS: f64 = 300.0;
/// Pixels of the largest cover art that is worth the memory.
const COVER_PIXELS: i64 = 4096 * 4096;
/// How much faster than real time even a busy core draws sound; only the stall watchdog relies on it.
const SLOWEST_SPEED: f64 = 20.0;

/// One way to make a poster.
struct Way {
    /// Microseconds from the start.
    at: i64,
    /// The options that lead from the input to a single picture.
    filters: [OsString; 4],
    work: Work,
    /// How long the first sign of life should take at the very most.
    expected: Duration,
}

/// See [`crate::media::Transcoder::poster`].
pub(crate) async fn poster(
    transcoder: &FfmpegTranscoder,
    spec: &PosterSpec,
    cancel: &CancellationToken,
) -> Result<Poster, MediaError> {
    let ways = match &spec.probe.video {
        Some(video) => {
            let tone_map = video.hdr && transcoder.can_tone_map(cancel).await?;
            frames(video, spec.probe.duration, tone_map)
        }
        None => pictures_of_sound(spec),
    };
    let mut refused = None;
    for way in ways {
        match attempt(transcoder, spec, way, cancel).await {
            Ok(Some(poster)) => return Ok(poster),
            Ok(None) => {}
            Err(error) if matches!(error.class, Class::Cancelled | Class::Resource) => {
                return Err(error);
            }
            // Cover art may be damaged where the sound is not.
            Err(error) => refused = Some(error),
        }
    }
    Err(refused.unwrap_or_else(|| {
        MediaError::input("no_picture", "No frame of the video could be decoded.")
    }))
}

/// A tenth in, past logos and fades, the most typical of the 50 frames of ten seconds. What has too few frames for that
/// has a first one.
fn frames(video: &VideoTrack, duration: f64, tone_map: bool) -> Vec<Way> {
    let picture = still(video, MAX_WIDTH, tone_map);
    let at = (duration.clamp(0.0, 24.0 * 3600.0) * 100_000.0) as i64;
    let pixels = i64::from(video.width) * i64::from(video.height);
    let seconds = video.end.min(POSTER_SECONDS);
    let work = Work {
        seconds,
        decoded: pixels as f64 * video.fps * seconds,
        picture: pixels,
        outputs: 1,
        ..Work::default()
    };
    let way = |at, filters: String| Way {
        at,
        filters: ["-map".into(), "0:V:0".into(), "-vf".into(), filters.into()],
        work,
        expected: Duration::ZERO,
    };
    vec![
        way(
            at,
            format!("fps=5,{picture},thumbnail=n=50,format=yuvj420p"),
        ),
        way(0, format!("{picture},format=yuvj420p")),
    ]
}

fn pictures_of_sound(spec: &PosterSpec) -> Vec<Way> {
    let way = |graph: String, seconds: f64, picture: i64| Way {
        at: 0,
        work: Work {
            seconds,
            decoded: picture as f64,
            picture,
            outputs: 1,
            ..Work::default()
        },
        filters: [
            "-filter_complex".into(),
            graph.into(),
            "-map".into(),
            "[picture]".into(),
        ],
        expected: Duration::from_secs_f64(seconds / SLOWEST_SPEED),
    };
    let mut ways = Vec::new();
    if spec.probe.cover {
        ways.push(way(cover(), 0.0, COVER_PIXELS));
    }
    if let Some(sound) = &spec.probe.audio {
        let seconds = spec.probe.duration.clamp(0.0, 24.0 * 3600.0);
        ways.push(way(waveform(sound.index, seconds), seconds, 0));
    }
    ways
}

/// `None` if it came to nothing without an error.
async fn attempt(
    transcoder: &FfmpegTranscoder,
    spec: &PosterSpec,
    way: Way,
    cancel: &CancellationToken,
) -> Result<Option<Poster>, MediaError> {
    let dir = transcoder.work_dir("poster")?;
    let path = dir.path().join("poster.jpg");
    let mut args: Vec<OsString> = Vec::new();
    if way.at > 0 {
        args.extend(["-ss".into(), decimal(way.at).into()]);
    }
    args.extend(transcoder.input(&spec.source));
    args.extend(way.filters);
    args.extend(["-frames:v", "1", "-update", "1"].map(OsString::from));
    args.extend(["-q:v", "3", "-map_metadata", "-1", "-f", "image2"].map(OsString::from));
    args.push(path.clone().into());
    let job = Job {
        args,
        cwd: dir.path(),
        source: &spec.source,
        work: way.work,
        expected: way.expected,
    };
    transcoder.encode(job, &|_| {}, cancel).await?;
    let made = tokio::fs::metadata(&path).await;
    let made = made.is_ok_and(|file| file.len() > 0);
    Ok(made.then_some(Poster { path, _dir: dir }))
}
