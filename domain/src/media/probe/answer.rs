//! ffprobe's answer, and how its streams become tracks.

use std::collections::HashMap;

use serde::Deserialize;

use super::{AudioTrack, VideoTrack, refusal::too_large};
use crate::media::{
    error::MediaError,
    ffmpeg::{MAX_PIXELS, supports_codec},
};

/// The longest side of a picture.
const MAX_SIDE: i64 = 16_384;

#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(default)]
    pub(super) streams: Vec<Stream>,
    #[serde(default)]
    pub(super) format: Format,
}

#[derive(Default, Deserialize)]
pub(super) struct Format {
    pub(super) format_name: Option<String>,
    pub(super) start_time: Option<String>,
    pub(super) duration: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Stream {
    pub(super) codec_type: Option<String>,
    pub(super) codec_name: Option<String>,
    profile: Option<String>,
    width: Option<i64>,
    height: Option<i64>,
    sample_aspect_ratio: Option<String>,
    pix_fmt: Option<String>,
    field_order: Option<String>,
    color_transfer: Option<String>,
    color_space: Option<String>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<i32>,
    start_time: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
    #[serde(default)]
    disposition: HashMap<String, i32>,
    #[serde(default)]
    tags: HashMap<String, String>,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

impl Stream {
    pub(super) fn video(&self, end: f64) -> Result<VideoTrack, MediaError> {
        let codec = self.codec()?;
        let (width, height) = (self.width.unwrap_or(0), self.height.unwrap_or(0));
        if width <= 0 || height <= 0 {
            return Err(MediaError::input(
                "no_streams",
                "The picture has no size: the file is damaged.",
            ));
        }
        if width > MAX_SIDE || height > MAX_SIDE || width * height > MAX_PIXELS {
            return Err(too_large());
        }
        // A ratio beyond 4 is a broken header rather than a wish.
        let aspect = fraction(&self.sample_aspect_ratio, ':')
            .filter(|r| (0.25..=4.0).contains(r))
            .unwrap_or(1.0);
        let shown = ((width as f64 * aspect).round() as i64).clamp(1, MAX_SIDE);
        let rotation = self.rotation();
        let (width, height) = if rotation % 180 == 0 {
            (shown, height)
        } else {
            (height, shown)
        };
        let (fps, vfr) = self.rate();
        Ok(VideoTrack {
            codec,
            profile: self.profile.clone(),
            width: i32::try_from(width).unwrap_or(i32::MAX),
            height: i32::try_from(height).unwrap_or(i32::MAX),
            rotation,
            anamorphic: (aspect - 1.0).abs() > 0.001,
            fps,
            vfr,
            interlaced: matches!(self.field_order.as_deref(), Some("tt" | "bb" | "tb" | "bt")),
            hdr: matches!(
                self.color_transfer.as_deref(),
                Some("smpte2084" | "arib-std-b67")
            ),
            pix_fmt: self.pix_fmt.clone().unwrap_or_default(),
            matrix: stated(&self.color_space),
            transfer: stated(&self.color_transfer),
            bit_rate: self.bit_rate.as_deref().and_then(|rate| rate.parse().ok()),
            end,
        })
    }

    pub(super) fn audio(&self, index: i32, end: f64) -> Result<AudioTrack, MediaError> {
        Ok(AudioTrack {
            codec: self.codec()?,
            profile: self.profile.clone(),
            index,
            channels: self.channels.unwrap_or(0),
            sample_rate: self
                .sample_rate
                .as_deref()
                .and_then(|rate| rate.parse().ok())
                .unwrap_or(0),
            bit_rate: self.bit_rate.as_deref().and_then(|rate| rate.parse().ok()),
            end,
        })
    }

    pub(super) fn is(&self, disposition: &str) -> bool {
        self.disposition.get(disposition).copied().unwrap_or(0) != 0
    }

    pub(super) fn codec(&self) -> Result<String, MediaError> {
        let codec = self
            .codec_name
            .clone()
            .unwrap_or_else(|| "unknown".to_owned());
        if supports_codec(&codec) {
            return Ok(codec);
        }
        Err(MediaError::input(
            "unsupported_codec",
            format!("The codec {codec} is not supported."),
        ))
    }

    /// Seconds from the start of the file to the end of this stream, never past the end of the file.
    pub(super) fn end(&self, format_start: f64, format_duration: f64) -> f64 {
        let start = seconds(&self.start_time).unwrap_or(format_start) - format_start;
        let end = match (
            seconds(&self.duration),
            self.tags.get("DURATION").and_then(|tag| clock(tag)),
        ) {
            (Some(duration), _) => start + duration,
            // Matroska: the time of the end, not a length.
            (None, Some(end)) => end - format_start,
            (None, None) => format_duration,
        };
        if end > 0.0 && end <= format_duration {
            end
        } else {
            format_duration
        }
    }

    /// Quarter turns only; anything else is shown upright.
    fn rotation(&self) -> i32 {
        let side = self.side_data_list.iter().find_map(|data| data.rotation);
        let degrees = side
            .or_else(|| self.tags.get("rotate")?.parse().ok())
            .unwrap_or(0.0);
        let turns = (degrees / 90.0).round();
        if (degrees - turns * 90.0).abs() < 2.0 {
            (turns as i32 * 90).rem_euclid(360)
        } else {
            0
        }
    }

    /// The frame rate, and whether frames come irregularly.
    fn rate(&self) -> (f64, bool) {
        let real = fraction(&self.r_frame_rate, '/').filter(|rate| *rate > 0.0);
        let average = fraction(&self.avg_frame_rate, '/').filter(|rate| *rate > 0.0);
        match (real, average) {
            (Some(real), Some(average)) if (real / average - 1.0).abs() <= 0.01 => (real, false),
            (Some(_), Some(average)) => (average, true),
            (rate, other) => (rate.or(other).unwrap_or(25.0), false),
        }
    }
}

/// A name, unless it says that nobody knows.
fn stated(name: &Option<String>) -> String {
    let name = name.as_deref().unwrap_or_default();
    let known = !matches!(name, "unknown" | "unspecified" | "reserved");
    if known { name } else { "" }.to_owned()
}

pub(super) fn seconds(text: &Option<String>) -> Option<f64> {
    text.as_deref()?
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())
}

fn fraction(text: &Option<String>, separator: char) -> Option<f64> {
    let (above, below) = text.as_deref()?.split_once(separator)?;
    let (above, below): (f64, f64) = (above.parse().ok()?, below.parse().ok()?);
    (above > 0.0 && below > 0.0).then(|| above / below)
}

/// `00:01:02.500000000` in seconds.
fn clock(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |sum, part| {
        Some(sum * 60.0 + part.parse::<f64>().ok()?)
    })
}
