//! The storyboard: small pictures of a whole video on a few sheets, and three larger ones to choose a poster from, in
//! one pass over the source.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Storyboard, StoryboardSpec, filters::still};
use crate::media::{
    error::MediaError,
    ffmpeg::{FfmpegTranscoder, Job, Work},
    probe::VideoTrack,
};

/// Pixels of the longer side of a shot.
const SIDE: i32 = 160;
/// Pixels of a candidate, as of a poster.
const MAX_WIDTH: i32 = 1280;
/// Shots of a video: enough that one is near wherever a pointer is on a seek bar.
const MOST: f64 = 120.0;
/// Shots are no closer than this, in seconds.
const CLOSEST: f64 = 1.0;
/// From this distance of shots on, only key frames are decoded: they are closer than that in any sane video, and an
/// hour takes seconds instead of minutes.
const KEY_FRAMES_ONLY: f64 = 10.0;
/// A sheet of 25 shots is some 60 KB: the first one is there at once.
const ACROSS: i32 = 5;
const DOWN: i32 = 5;
/// Pictures to choose from.
const CANDIDATES: i32 = 3;
/// How much faster than real time even a busy core reads a source; only the stall watchdog relies on it.
const SLOWEST_SPEED: f64 = 2.0;

/// How shots lie on sheets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Layout {
    /// Seconds that one shot stands for.
    pub interval: f64,
    /// How many there are.
    pub shots: i32,
    /// Shots in a row of a sheet.
    pub across: i32,
    /// Rows of a sheet.
    pub down: i32,
    /// Pixels of a shot.
    pub width: i32,
    /// Pixels of a shot.
    pub height: i32,
}

impl Layout {
    /// For a picture of `width` by `height` that lasts `seconds`.
    pub fn new(width: i32, height: i32, seconds: f64) -> Self {
        let seconds = seconds.clamp(0.0, 24.0 * 3600.0);
        let interval = (seconds / MOST).max(CLOSEST);
        // What begins a shot has one, but a rest that rounding left has not.
        let shots = ((seconds / interval - 0.01).ceil() as i32).max(1);
        let (width, height) = (f64::from(width.max(1)), f64::from(height.max(1)));
        let scale = f64::from(SIDE) / width.max(height);
        let even = |side: f64| ((side * scale / 2.0).round() as i32 * 2).clamp(2, SIDE);
        Self {
            interval,
            shots,
            across: ACROSS,
            down: DOWN,
            width: even(width),
            height: even(height),
        }
    }

    /// How many sheets that makes.
    pub fn sheets(&self) -> i32 {
        (self.shots + self.across * self.down - 1) / (self.across * self.down)
    }

    /// The sheet of shot `n`, and where on it: x and y in pixels.
    pub fn place(&self, n: i32) -> (i32, i32, i32) {
        let (sheet, at) = (n / (self.across * self.down), n % (self.across * self.down));
        (
            sheet,
            at % self.across * self.width,
            at / self.across * self.height,
        )
    }

    /// The list that players read, as WebVTT with fragments of pictures; `sheet` names one.
    pub fn vtt(&self, seconds: f64, sheet: impl Fn(i32) -> String) -> String {
        let mut text = String::from("WEBVTT\n");
        for n in 0..self.shots {
            let from = f64::from(n) * self.interval;
            let to = if n + 1 == self.shots {
                seconds.max(from + 0.001)
            } else {
                from + self.interval
            };
            let (number, x, y) = self.place(n);
            let (width, height) = (self.width, self.height);
            text.push_str(&format!(
                "\n{} --> {}\n{}#xywh={x},{y},{width},{height}\n",
                clock(from),
                clock(to),
                sheet(number)
            ));
        }
        text
    }
}

/// `01:02:03.456`
fn clock(seconds: f64) -> String {
    let millis = (seconds * 1000.0).round() as i64;
    let (hours, rest) = (millis / 3_600_000, millis % 3_600_000);
    let (minutes, rest) = (rest / 60_000, rest % 60_000);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        rest / 1000,
        rest % 1000
    )
}

/// See [`crate::media::Transcoder::storyboard`].
pub(crate) async fn storyboard(
    transcoder: &FfmpegTranscoder,
    spec: &StoryboardSpec,
    cancel: &CancellationToken,
) -> Result<Storyboard, MediaError> {
    let no_picture = || MediaError::input("no_picture", "No frame of the video could be decoded.");
    let video = spec.probe.video.as_ref().ok_or_else(no_picture)?;
    let tone_map = video.hdr && transcoder.can_tone_map(cancel).await?;
    let layout = Layout::new(video.width, video.height, spec.probe.duration);
    let dir = transcoder.work_dir("storyboard")?;
    let mut args: Vec<OsString> = Vec::new();
    let sparse = layout.interval >= KEY_FRAMES_ONLY;
    if sparse {
        args.extend(["-skip_frame", "nokey"].map(OsString::from));
    }
    args.extend(transcoder.input(&spec.source));
    let graph = graph(video, &layout, spec.probe.duration, tone_map);
    args.extend(["-filter_complex".into(), graph.into()]);
    for (label, name) in [("[sheets]", "sheet"), ("[large]", "large")] {
        args.extend(["-map", label, "-q:v", "4", "-map_metadata", "-1"].map(OsString::from));
        args.extend(["-f", "image2", "-start_number", "0"].map(OsString::from));
        args.push(dir.path().join(format!("{name}-%d.jpg")).into());
    }
    let seconds = spec.probe.duration.clamp(0.0, 24.0 * 3600.0);
    let pixels = i64::from(video.width) * i64::from(video.height);
    let job = Job {
        args,
        cwd: dir.path(),
        source: &spec.source,
        work: Work {
            seconds,
            decoded: pixels as f64 * video.fps * seconds,
            picture: pixels,
            outputs: 2,
            ..Work::default()
        },
        expected: Duration::from_secs_f64(seconds / SLOWEST_SPEED),
    };
    transcoder.encode(job, &|_| {}, cancel).await?;
    let sheets = files(dir.path(), "sheet", layout.sheets());
    if i32::try_from(sheets.len()).unwrap_or(0) != layout.sheets() {
        return Err(no_picture());
    }
    Ok(Storyboard {
        layout,
        sheets,
        candidates: files(dir.path(), "large", CANDIDATES),
        _dir: dir,
    })
}

/// From the picture to `[sheets]` and `[large]`. Where the picture ends early its last frame stands, so that there are
/// as many shots as the layout says.
fn graph(video: &VideoTrack, layout: &Layout, seconds: f64, tone_map: bool) -> String {
    let every = |interval: f64, first: f64, count: i32| {
        format!(
            "fps=fps=1000/{}:start_time={first:.3}:eof_action=pass,tpad=stop=-1:stop_mode=clone,trim=end_frame={count}",
            ((interval * 1000.0).round() as i64).max(1)
        )
    };
    let (width, tiles) = (layout.width, format!("{}x{}", layout.across, layout.down));
    // Frames to choose from: at a sixth, the middle, and five sixths.
    let third = (seconds / f64::from(CANDIDATES)).max(0.001);
    format!(
        "[0:V:0]split=2[small][big];\
         [small]{},{},format=yuvj420p,scale={width}:{},tile={tiles}[sheets];\
         [big]{},{},format=yuvj420p[large]",
        every(layout.interval, 0.0, layout.shots),
        still(video, width, tone_map),
        layout.height,
        every(third, third / 2.0, CANDIDATES),
        still(video, MAX_WIDTH, tone_map),
    )
}

fn files(dir: &Path, name: &str, most: i32) -> Vec<PathBuf> {
    (0..most)
        .map(|n| dir.join(format!("{name}-{n}.jpg")))
        .take_while(|path| path.metadata().is_ok_and(|file| file.len() > 0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_has_a_shot_for_every_moment() {
        for (seconds, shots, sheets) in [
            (0.04, 1, 1),
            (10.0, 10, 1),
            (61.0, 61, 3),
            (3600.0, 120, 5),
            (90_000.0, 120, 5),
        ] {
            let layout = Layout::new(1920, 1080, seconds);
            assert_eq!(
                (layout.shots, layout.sheets()),
                (shots, sheets),
                "{seconds}"
            );
            assert!(
                f64::from(layout.shots) * layout.interval
                    >= seconds.min(86_400.0) - layout.interval * 0.02
            );
        }
        let upright = Layout::new(1080, 1920, 5.0);
        assert_eq!((upright.width, upright.height), (90, 160));
        let strip = Layout::new(4000, 10, 5.0);
        assert_eq!((strip.width, strip.height), (160, 2));
    }

    #[test]
    fn the_list_names_places_on_sheets() {
        let layout = Layout::new(1920, 1080, 26.4);
        let text = layout.vtt(26.4, |n| format!("board/{n}.jpg"));
        assert!(
            text.starts_with(
                "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nboard/0.jpg#xywh=0,0,160,90\n"
            )
        );
        assert!(text.contains("\n00:00:06.000 --> 00:00:07.000\nboard/0.jpg#xywh=160,90,160,90\n"));
        assert!(
            text.ends_with("\n00:00:26.000 --> 00:00:26.400\nboard/1.jpg#xywh=160,0,160,90\n"),
            "{text}"
        );
    }
}
