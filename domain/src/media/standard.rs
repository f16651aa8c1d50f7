//! Is a source what browsers play anyway? Then its packets are copied, which takes seconds, and people watch the copy
//! while the ladder is encoded.
//!
//! The test is Mux's, for the picture: H.264 8-bit 4:2:0 of at most 1080 lines, 60 frames and 8 Mbit/s a second, with
//! closed GOPs of at most 20 s, in a container with an index. Headers answer most of it and are read by the probe; the
//! GOPs need a look at every packet ([`Scan`]), which only a source is given that passed until there.
//!
//! Sound decides less: a file is copied with its sound, so that must be AAC-LC; segments of a picture are copied alone,
//! and play with the audio rendition, which is encoded in any case.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    probe::{AudioTrack, Probe, VideoTrack},
    scan::Scan,
};

/// The largest and longest source whose copy is a file: what a browser loads whole without asking twice.
const FILE_BYTES: i64 = 20 << 20;
const FILE_SECONDS: f64 = 60.5;
/// 1080 lines are 1088 in coded pictures that are not cropped; the other side is that of cinema's 2K.
const SHORT_SIDE: i32 = 1088;
const LONG_SIDE: i32 = 2048;
/// A little more than 60, because rates are measured.
const FPS: f64 = 60.5;
const BITS_PER_SECOND: f64 = 8_000_000.0;
const GOP_SECONDS: f64 = 20.05;
/// A picture may begin this much later than the sound: players bridge it.
const LATE_SECONDS: f64 = 0.1;
/// Sound that outlasts the picture by more than this is shown with the last frame standing, which a copy cannot do.
const AUDIO_TAIL_SECONDS: f64 = 0.5;

/// How a source becomes playable before its ladder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FastPath {
    /// As one MP4 file with its index in front.
    Mp4,
    /// As HLS segments of the picture, cut at its own key frames.
    Hls,
}

/// Whether there is a fast path, and why not. Kept with the probe, for people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fast {
    /// The path, if there is one.
    pub path: Option<FastPath>,
    /// Why there is none.
    #[serde(default)]
    pub obstacle: Option<Obstacle>,
}

/// The first thing that a copy would do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// There is no picture.
    NoPicture,
    /// Neither MP4 nor Matroska.
    Container,
    /// Not H.264.
    Codec,
    /// Not Baseline, Main or High.
    Profile,
    /// Not 8-bit 4:2:0.
    PixelFormat,
    /// Made of fields.
    Interlaced,
    /// High dynamic range.
    Hdr,
    /// To be turned when it is shown.
    Rotated,
    /// Its pixels are not square.
    Anamorphic,
    /// More than 1080 lines.
    TooLarge,
    /// More than 60 frames a second.
    TooFast,
    /// More than 8 Mbit/s.
    TooManyBits,
    /// The sound goes on after the picture's end.
    SoundOutlasts,
    /// The picture begins later than the file.
    LateStart,
    /// An edit list hides frames.
    Edited,
    /// Frames after a key frame need frames before it.
    OpenGop,
    /// More than 20 s from one key frame to the next.
    LongGop,
}

impl Fast {
    /// What the headers say about a source of so many bytes. A path is a wish until [`Fast::seen`].
    pub fn of(probe: &Probe, bytes: i64) -> Self {
        match obstacle(probe, bytes) {
            Some(obstacle) => Self::not(obstacle),
            None => Self {
                path: Some(path(probe, bytes)),
                obstacle: None,
            },
        }
    }

    /// What remains of it once the packets were seen.
    pub fn seen(self, scan: &Scan) -> Self {
        if self.path.is_none() {
            return self;
        }
        let seconds = scan.end() - scan.start();
        let found = if scan.edited {
            Some(Obstacle::Edited)
        } else if !(0.0..=LATE_SECONDS).contains(&scan.start()) {
            Some(Obstacle::LateStart)
        } else if !scan.closed {
            Some(Obstacle::OpenGop)
        } else if scan.longest_gop() > GOP_SECONDS {
            Some(Obstacle::LongGop)
        } else if scan.bytes as f64 * 8.0 > BITS_PER_SECOND * seconds.max(1.0) {
            Some(Obstacle::TooManyBits)
        } else {
            None
        };
        found.map_or(self, Self::not)
    }

    fn not(obstacle: Obstacle) -> Self {
        Self {
            path: None,
            obstacle: Some(obstacle),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPicture => "there is no picture",
            Self::Container => "the container is neither MP4 nor Matroska",
            Self::Codec => "the picture is not H.264",
            Self::Profile => "the H.264 profile is not Baseline, Main or High",
            Self::PixelFormat => "the picture is not 8-bit 4:2:0",
            Self::Interlaced => "the picture is interlaced",
            Self::Hdr => "the picture has high dynamic range",
            Self::Rotated => "the picture is turned when it is shown",
            Self::Anamorphic => "the pixels are not square",
            Self::TooLarge => "the picture has more than 1080 lines",
            Self::TooFast => "there are more than 60 frames a second",
            Self::TooManyBits => "the bit rate is above 8 Mbit/s",
            Self::SoundOutlasts => "the sound outlasts the picture",
            Self::LateStart => "the picture begins later than the file",
            Self::Edited => "an edit list hides frames",
            Self::OpenGop => "GOPs are open",
            Self::LongGop => "key frames are more than 20 s apart",
        })
    }
}

fn obstacle(probe: &Probe, bytes: i64) -> Option<Obstacle> {
    let Some(video) = &probe.video else {
        return Some(Obstacle::NoPicture);
    };
    let mut containers = probe.format.split(',');
    if !containers.any(|name| name == "mp4" || name == "matroska") {
        return Some(Obstacle::Container);
    }
    if video.codec != "h264" {
        return Some(Obstacle::Codec);
    }
    let of_file = bytes as f64 * 8.0 / probe.duration.max(1.0);
    let rate = video.bit_rate.map_or(of_file, |rate| rate as f64);
    let outlasts = |sound: &AudioTrack| sound.end > video.end + AUDIO_TAIL_SECONDS;
    [
        (!plain_profile(video), Obstacle::Profile),
        (!plain_pixels(video), Obstacle::PixelFormat),
        (video.interlaced, Obstacle::Interlaced),
        (video.hdr, Obstacle::Hdr),
        (video.rotation != 0, Obstacle::Rotated),
        (video.anamorphic, Obstacle::Anamorphic),
        (too_large(video), Obstacle::TooLarge),
        (video.fps > FPS, Obstacle::TooFast),
        (rate > BITS_PER_SECOND, Obstacle::TooManyBits),
        (
            probe.audio.as_ref().is_some_and(outlasts),
            Obstacle::SoundOutlasts,
        ),
    ]
    .into_iter()
    .find_map(|(found, obstacle)| found.then_some(obstacle))
}

fn path(probe: &Probe, bytes: i64) -> FastPath {
    let plain_sound = probe.audio.as_ref().is_none_or(|sound| {
        sound.codec == "aac"
            && sound.profile.as_deref() == Some("LC")
            && (1..=2).contains(&sound.channels)
            && (8_000..=48_000).contains(&sound.sample_rate)
    });
    if plain_sound && bytes <= FILE_BYTES && probe.duration <= FILE_SECONDS {
        FastPath::Mp4
    } else {
        FastPath::Hls
    }
}

fn plain_profile(video: &VideoTrack) -> bool {
    let plain = ["Constrained Baseline", "Baseline", "Main", "High"];
    video
        .profile
        .as_deref()
        .is_some_and(|profile| plain.contains(&profile))
}

fn plain_pixels(video: &VideoTrack) -> bool {
    matches!(video.pix_fmt.as_str(), "yuv420p" | "yuvj420p")
}

fn too_large(video: &VideoTrack) -> bool {
    let (short, long) = (video.width.min(video.height), video.width.max(video.height));
    short > SHORT_SIDE || long > LONG_SIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: i64 = 1 << 20;

    fn probe(seconds: f64) -> Probe {
        Probe {
            format: "mov,mp4,m4a,3gp,3g2,mj2".into(),
            duration: seconds,
            video: Some(VideoTrack {
                codec: "h264".into(),
                profile: Some("High".into()),
                width: 1920,
                height: 1080,
                rotation: 0,
                anamorphic: false,
                fps: 30.0,
                vfr: false,
                interlaced: false,
                hdr: false,
                matrix: "bt709".into(),
                transfer: "bt709".into(),
                pix_fmt: "yuv420p".into(),
                bit_rate: Some(2_000_000),
                end: seconds,
            }),
            audio: Some(AudioTrack {
                codec: "aac".into(),
                profile: Some("LC".into()),
                index: 0,
                channels: 2,
                sample_rate: 48_000,
                bit_rate: Some(128_000),
                end: seconds,
            }),
            cover: false,
        }
    }

    fn scan() -> Scan {
        let mut scan = Scan::default();
        for line in [
            "#tb 0: 1/25",
            "0, -1, 0, 1, 900, 0x0",
            "0, 0, 50, 1, 90, 0x0, F=0x0",
        ] {
            scan.line(line);
        }
        scan
    }

    #[test]
    fn a_small_source_becomes_a_file_and_a_larger_one_segments() {
        let path = |probe: &Probe, bytes| Fast::of(probe, bytes).path;
        assert_eq!(path(&probe(60.0), 15 * MIB), Some(FastPath::Mp4));
        assert_eq!(path(&probe(60.0), 20 * MIB + 1), Some(FastPath::Hls));
        assert_eq!(path(&probe(61.0), MIB), Some(FastPath::Hls));
        let silent = Probe {
            audio: None,
            ..probe(9.0)
        };
        assert_eq!(path(&silent, MIB), Some(FastPath::Mp4));
        let matroska = Probe {
            format: "matroska,webm".into(),
            ..probe(9.0)
        };
        assert_eq!(path(&matroska, MIB), Some(FastPath::Mp4));
    }

    #[test]
    fn sound_that_a_file_cannot_keep_is_encoded_beside_segments() {
        let with = |change: fn(&mut AudioTrack)| {
            let mut probe = probe(9.0);
            change(probe.audio.as_mut().unwrap());
            Fast::of(&probe, MIB).path
        };
        assert_eq!(
            with(|sound| sound.codec = "opus".into()),
            Some(FastPath::Hls)
        );
        assert_eq!(
            with(|sound| sound.profile = Some("HE-AAC".into())),
            Some(FastPath::Hls)
        );
        assert_eq!(with(|sound| sound.channels = 6), Some(FastPath::Hls));
        assert_eq!(
            with(|sound| sound.sample_rate = 96_000),
            Some(FastPath::Hls)
        );
    }

    #[test]
    fn each_obstacle_is_seen_in_the_headers() {
        let with = |change: fn(&mut VideoTrack)| {
            let mut probe = probe(9.0);
            change(probe.video.as_mut().unwrap());
            let fast = Fast::of(&probe, MIB);
            assert_eq!(fast.path, None);
            fast.obstacle.unwrap()
        };
        assert_eq!(with(|v| v.codec = "hevc".into()), Obstacle::Codec);
        assert_eq!(
            with(|v| v.profile = Some("High 10".into())),
            Obstacle::Profile
        );
        assert_eq!(
            with(|v| v.profile = Some("High 4:4:4 Predictive".into())),
            Obstacle::Profile
        );
        assert_eq!(with(|v| v.profile = None), Obstacle::Profile);
        assert_eq!(
            with(|v| v.pix_fmt = "yuv422p".into()),
            Obstacle::PixelFormat
        );
        assert_eq!(with(|v| v.interlaced = true), Obstacle::Interlaced);
        assert_eq!(with(|v| v.hdr = true), Obstacle::Hdr);
        assert_eq!(with(|v| v.rotation = 90), Obstacle::Rotated);
        assert_eq!(with(|v| v.anamorphic = true), Obstacle::Anamorphic);
        assert_eq!(with(|v| v.height = 1440), Obstacle::TooLarge);
        assert_eq!(with(|v| v.width = 2560), Obstacle::TooLarge);
        assert_eq!(with(|v| v.fps = 120.0), Obstacle::TooFast);
        assert_eq!(
            with(|v| v.bit_rate = Some(8_000_001)),
            Obstacle::TooManyBits
        );
        assert_eq!(with(|v| v.end = 8.0), Obstacle::SoundOutlasts);

        let webm_only = Probe {
            format: "mpegts".into(),
            ..probe(9.0)
        };
        assert_eq!(
            Fast::of(&webm_only, MIB).obstacle,
            Some(Obstacle::Container)
        );
        let sound_only = Probe {
            video: None,
            ..probe(9.0)
        };
        assert_eq!(
            Fast::of(&sound_only, MIB).obstacle,
            Some(Obstacle::NoPicture)
        );
        // Matroska does not state rates: the file's size does.
        let mut unstated = probe(9.0);
        unstated.video.as_mut().unwrap().bit_rate = None;
        assert_eq!(
            Fast::of(&unstated, 10 * MIB).obstacle,
            Some(Obstacle::TooManyBits)
        );
    }

    #[test]
    fn each_obstacle_is_seen_in_the_packets() {
        let fast = Fast::of(&probe(9.0), MIB);
        assert_eq!(fast.seen(&scan()), fast);
        let with = |lines: &[&str]| {
            let mut scan = scan();
            for line in lines {
                scan.line(line);
            }
            let fast = fast.seen(&scan);
            assert_eq!(fast.path, None);
            fast.obstacle.unwrap()
        };
        assert_eq!(
            with(&["0, 60, 62, 1, 900, 0x0", "0, 61, 61, 1, 9, 0x0, F=0x0"]),
            Obstacle::OpenGop
        );
        assert_eq!(with(&["0, 499, 502, 1, 900, 0x0"]), Obstacle::LongGop);
        assert_eq!(with(&["0, 499, 502, 1, 9, 0x0, F=0x0"]), Obstacle::LongGop);
        assert_eq!(
            with(&["0, 51, 51, 1, 9000000, 0x0, F=0x0"]),
            Obstacle::TooManyBits
        );
        assert_eq!(with(&["0, 51, 51, 1, 9, 0x0, F=0x4"]), Obstacle::Edited);

        let mut late = Scan::default();
        late.line("#tb 0: 1/25");
        late.line("0, 3, 3, 1, 9, 0x0");
        assert_eq!(fast.seen(&late).obstacle, Some(Obstacle::LateStart));
        // Nothing was read at all: nothing can be copied.
        assert_eq!(fast.seen(&Scan::default()).path, None);
    }

    #[test]
    fn the_reason_is_kept_as_a_word() {
        let fast = Fast::not(Obstacle::OpenGop);
        let json = serde_json::to_value(fast).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"path": null, "obstacle": "open_gop"})
        );
        assert_eq!(serde_json::from_value::<Fast>(json).unwrap(), fast);
    }
}
