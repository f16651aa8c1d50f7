//! What is in a file: reads ffprobe's answer and refuses, in words a person understands, what cannot become a video.

use serde::{Deserialize, Serialize};

use self::answer::{Answer, Stream, seconds};
use super::error::MediaError;

/// What ffprobe says.
mod answer;
/// Why a file is refused.
mod refusal;

pub(crate) use refusal::refusal;

/// More streams than this is an attack or an accident.
const MAX_STREAMS: usize = 32;
/// The longest video: a day.
const MAX_SECONDS: f64 = 24.0 * 3600.0;

/// What a file holds, as far as making a video of it is concerned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The container as ffmpeg names it (`mov,mp4,m4a,3gp,3g2,mj2`).
    pub format: String,
    /// Seconds from the first instant of any stream to the last. Zero when the file does not say; see
    /// [`Probe::with_measured_duration`].
    pub duration: f64,
    /// The first moving picture; cover art does not count.
    pub video: Option<VideoTrack>,
    /// The sound that players choose: the first that is marked as default, or else the first.
    pub audio: Option<AudioTrack>,
    /// There is cover art that we can decode.
    #[serde(default)]
    pub cover: bool,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VideoTrack {
    /// The codec as ffmpeg names it (`h264`).
    pub codec: String,
    /// The codec's profile as ffmpeg names it (`High`), if it says.
    #[serde(default)]
    pub profile: Option<String>,
    /// Pixels as shown, after rotation and with square pixels.
    pub width: i32,
    /// Pixels as shown.
    pub height: i32,
    /// Degrees, 0, 90, 180 or 270.
    pub rotation: i32,
    /// The coded pixels are not square.
    #[serde(default)]
    pub anamorphic: bool,
    /// Frames a second: the stream's own rate, or the average when frames come irregularly.
    pub fps: f64,
    /// Frames come irregularly.
    pub vfr: bool,
    /// Made of fields.
    pub interlaced: bool,
    /// High dynamic range (PQ or HLG): tone-mapped when it is encoded.
    pub hdr: bool,
    /// The pixel format as ffmpeg names it.
    pub pix_fmt: String,
    /// How colours are coded, as ffmpeg names it (`bt709`); empty when the file does not say.
    #[serde(default)]
    pub matrix: String,
    /// The transfer curve, as ffmpeg names it (`smpte2084`); empty when the file does not say.
    #[serde(default)]
    pub transfer: String,
    /// Bits a second, if the file says.
    pub bit_rate: Option<i64>,
    /// Seconds from the start of the file to the end of the last frame.
    pub end: f64,
}

/// The sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioTrack {
    /// The codec as ffmpeg names it (`aac`).
    pub codec: String,
    /// The codec's profile as ffmpeg names it (`LC`), if it says.
    #[serde(default)]
    pub profile: Option<String>,
    /// Which of the file's sounds: counts them from 0.
    #[serde(default)]
    pub index: i32,
    /// Channels.
    pub channels: i32,
    /// Samples a second.
    pub sample_rate: i32,
    /// Bits a second, if the file says.
    pub bit_rate: Option<i64>,
    /// Seconds from the start of the file to the end of the last sample.
    pub end: f64,
}

impl Probe {
    /// Reads what `ffprobe -show_format -show_streams -of json` said about a file.
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, MediaError> {
        let answer: Answer = serde_json::from_slice(json).map_err(|error| {
            MediaError::transient("The file could not be examined.")
                .with_detail(format!("ffprobe's answer: {error}"))
        })?;
        if answer.streams.len() > MAX_STREAMS {
            return Err(MediaError::input(
                "too_many_streams",
                "The file has too many tracks.",
            ));
        }
        let format_start = seconds(&answer.format.start_time).unwrap_or(0.0);
        let duration = seconds(&answer.format.duration).unwrap_or(0.0).max(0.0);
        if duration > MAX_SECONDS {
            return Err(MediaError::input(
                "too_long",
                "The video is longer than a day.",
            ));
        }
        let kind = |kind: &'static str| {
            answer
                .streams
                .iter()
                .filter(move |stream| stream.codec_type.as_deref() == Some(kind))
        };
        let video = kind("video").find(|stream| !stream.is("attached_pic"));
        let cover = kind("video").any(|stream| {
            stream.is("attached_pic") && stream.codec_name.as_deref() == Some("mjpeg")
        });
        let end = |stream: &Stream| stream.end(format_start, duration);
        let video = video.map(|stream| stream.video(end(stream))).transpose()?;
        // `min_by_key` keeps the first of equals. A track in a codec that we lack is the last choice.
        let audio = kind("audio")
            .zip(0..)
            .min_by_key(|(stream, _)| (stream.codec().is_err(), !stream.is("default")))
            .map(|(stream, index)| stream.audio(index, end(stream)))
            .transpose()?;
        if video.is_none() && audio.is_none() {
            return Err(MediaError::input(
                "no_streams",
                "The file has neither picture nor sound.",
            ));
        }
        Ok(Self {
            format: answer.format.format_name.unwrap_or_default(),
            duration,
            video,
            audio,
            cover,
        })
    }

    /// Its duration was guessed from the bit rate of its beginning, which is far off when that varies.
    pub(crate) fn guesses_duration(&self) -> bool {
        matches!(self.format.as_str(), "mp3" | "aac")
    }

    /// Fills in the duration of a file that does not state it (recordings made by browsers) or that was guessed, or
    /// refuses it as empty.
    pub(crate) fn with_measured_duration(mut self, measured: f64) -> Result<Self, MediaError> {
        if measured <= 0.0 {
            return Err(MediaError::input(
                "zero_duration",
                "The file has no duration: there is nothing to play.",
            ));
        }
        if measured > MAX_SECONDS {
            return Err(MediaError::input(
                "too_long",
                "The video is longer than a day.",
            ));
        }
        self.duration = measured;
        if let Some(video) = &mut self.video
            && video.end <= 0.0
        {
            video.end = measured;
        }
        if let Some(audio) = &mut self.audio
            && (audio.end <= 0.0 || self.video.is_none())
        {
            audio.end = measured;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::media::error::Class;

    fn probe(stream: serde_json::Value) -> Result<Probe, MediaError> {
        let mut base = json!({
            "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080, "pix_fmt": "yuv420p",
            "r_frame_rate": "30000/1001", "avg_frame_rate": "30000/1001", "start_time": "0.0", "duration": "10.01"
        });
        if let (Some(base), serde_json::Value::Object(more)) = (base.as_object_mut(), stream) {
            base.extend(more);
        }
        let answer =
            json!({ "streams": [base], "format": { "format_name": "mov", "duration": "10.03" } });
        Probe::from_json(answer.to_string().as_bytes())
    }

    fn video(stream: serde_json::Value) -> VideoTrack {
        probe(stream).unwrap().video.unwrap()
    }

    #[test]
    fn rotation_and_aspect_shape_what_is_shown() {
        let turned = video(
            json!({ "side_data_list": [{ "side_data_type": "Display Matrix", "rotation": -90 }] }),
        );
        assert_eq!(
            (turned.width, turned.height, turned.rotation),
            (1080, 1920, 270)
        );
        let old = video(json!({ "tags": { "rotate": "180" } }));
        assert_eq!((old.width, old.height, old.rotation), (1920, 1080, 180));
        let dvd = video(json!({ "width": 720, "height": 576, "sample_aspect_ratio": "64:45" }));
        assert_eq!((dvd.width, dvd.height), (1024, 576));
        let broken = video(json!({ "sample_aspect_ratio": "1000:1" }));
        assert_eq!(broken.width, 1920);
    }

    #[test]
    fn rates_fields_and_ranges_are_recognized() {
        let plain = video(json!({}));
        assert!(!plain.vfr && !plain.interlaced && !plain.hdr);
        assert_eq!(plain.end, 10.01);
        let phone = video(json!({ "r_frame_rate": "90/1", "avg_frame_rate": "1732/60" }));
        assert!(phone.vfr && (phone.fps - 28.866).abs() < 0.001);
        assert!(video(json!({ "field_order": "tt" })).interlaced);
        assert!(video(json!({ "color_transfer": "smpte2084" })).hdr);
        assert_eq!(
            video(json!({ "duration": null, "tags": { "DURATION": "00:00:09.500000000" } })).end,
            9.5
        );
    }

    #[test]
    fn the_sound_that_players_choose_is_chosen() {
        let chosen = |sounds: &[(&str, i32)]| {
            let streams: Vec<_> = sounds
                .iter()
                .map(|(codec, default)| {
                    json!({ "codec_type": "audio", "codec_name": codec, "disposition": { "default": default } })
                })
                .collect();
            let answer = json!({ "streams": streams, "format": { "duration": "3" } });
            let probe = Probe::from_json(answer.to_string().as_bytes());
            probe.map(|probe| probe.audio.unwrap().index)
        };
        assert_eq!(chosen(&[("aac", 0), ("aac", 0)]), Ok(0));
        assert_eq!(chosen(&[("aac", 0), ("aac", 1), ("aac", 1)]), Ok(1));
        assert_eq!(chosen(&[("truehd", 1), ("ac3", 0)]), Ok(1));
        assert!(chosen(&[("truehd", 1)]).is_err());
    }

    #[test]
    fn refusals_have_codes() {
        let code = |stream| probe(stream).unwrap_err().class;
        assert_eq!(
            code(json!({ "codec_name": "magicyuv" })),
            Class::Input("unsupported_codec")
        );
        assert_eq!(
            code(json!({ "width": 20000 })),
            Class::Input("too_large_dimensions")
        );
        assert_eq!(
            code(json!({ "disposition": { "attached_pic": 1 } })),
            Class::Input("no_streams")
        );
    }
}
