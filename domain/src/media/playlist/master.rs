//! The list of renditions.

use std::fmt::Write;

use super::{Bandwidth, Rendition, Uris};
use crate::media::grid::Fps;

/// A quality of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VideoEntry {
    /// Which.
    pub rendition: Rendition,
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
    /// The rate of the grid.
    pub fps: Fps,
    /// From the init segment.
    pub codecs: String,
    /// Bits a second of the picture alone: the encoder's cap while it is made, measured once it is.
    pub bandwidth: i32,
    /// Measured; `None` while it is being made.
    pub average_bandwidth: Option<i32>,
    /// Its I-frame playlist, if there is one.
    pub iframes: Option<IFrameEntry>,
}

/// The key frames of a quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IFrameEntry {
    /// Measured.
    pub bandwidth: Bandwidth,
}

/// The sound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioEntry {
    /// From the init segment.
    pub codecs: String,
    /// Bits a second: nominal while it is made, measured once it is.
    pub bandwidth: i32,
    /// Measured; `None` while it is being made.
    pub average_bandwidth: Option<i32>,
}

/// What players that know nothing of their connection are started with: the best that needs no more. Apple's
/// authoring specification recommends a first variant of 2000 kbit/s over Wi-Fi and allows a tenth.
const FIRST_BANDWIDTH: i32 = 2_200_000;

/// The master playlist. Players without an opinion start with the first quality, so that is a modest one; the others
/// follow as given. Without a picture, the sound is the only entry.
///
/// There is no variant of sound alone beside pictures: hls.js drops such a one, and players that list qualities would
/// offer it as one.
pub fn master(videos: &[VideoEntry], audio: Option<&AudioEntry>, uris: &impl Uris) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    if let Some(audio) = audio {
        let uri = uris.media(Rendition::Audio);
        if videos.is_empty() {
            let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={}", audio.bandwidth);
            average(&mut text, audio.average_bandwidth);
            let _ = writeln!(text, ",CODECS=\"{}\"\n{uri}", audio.codecs);
            return text;
        }
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"audio\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",\
             URI=\"{uri}\""
        );
    }
    let needs = |video: &VideoEntry| {
        let sound = audio.map_or(0, |audio| audio.bandwidth);
        video.bandwidth.saturating_add(sound)
    };
    let modest = videos.iter().position(|v| needs(v) <= FIRST_BANDWIDTH);
    let first = modest.unwrap_or(videos.len().saturating_sub(1));
    let (before, after) = videos.split_at(first);
    let (first, after) = after.split_at(after.len().min(1));
    for video in first.iter().chain(before).chain(after) {
        let bandwidth = needs(video);
        let _ = write!(text, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth}");
        let sound = audio.map_or(Some(0), |audio| audio.average_bandwidth);
        average(
            &mut text,
            video
                .average_bandwidth
                .zip(sound)
                .map(|(picture, sound)| picture.saturating_add(sound)),
        );
        let _ = write!(text, ",CODECS=\"{}", video.codecs);
        if let Some(audio) = audio {
            let _ = write!(text, ",{}", audio.codecs);
        }
        let _ = write!(
            text,
            "\",RESOLUTION={}x{},FRAME-RATE={:.3},VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE",
            video.width,
            video.height,
            video.fps.as_f64()
        );
        if audio.is_some() {
            text.push_str(",AUDIO=\"audio\"");
        }
        let _ = writeln!(text, "\n{}", uris.media(video.rendition));
    }
    for video in videos {
        let Some(IFrameEntry { bandwidth }) = video.iframes else {
            continue;
        };
        let _ = writeln!(
            text,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\",RESOLUTION={}x{},VIDEO-RANGE=SDR,\
             URI=\"{}\"",
            bandwidth.peak,
            bandwidth.average,
            video.codecs,
            video.width,
            video.height,
            uris.iframes(video.rendition)
        );
    }
    text
}

fn average(text: &mut String, bandwidth: Option<i32>) {
    if let Some(bandwidth) = bandwidth {
        let _ = write!(text, ",AVERAGE-BANDWIDTH={bandwidth}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::playlist::fixtures::Plain;

    fn video(rendition: Rendition, width: i32, height: i32) -> VideoEntry {
        VideoEntry {
            rendition,
            width,
            height,
            fps: Fps::new(30_000, 1001),
            codecs: "avc1.64001f".into(),
            bandwidth: height * 4000,
            average_bandwidth: None,
            iframes: None,
        }
    }

    fn audio() -> AudioEntry {
        AudioEntry {
            codecs: "mp4a.40.2".into(),
            bandwidth: 128_000,
            average_bandwidth: None,
        }
    }

    #[test]
    fn while_it_is_made_the_caps_are_declared() {
        let videos = [
            video(Rendition::V720, 1280, 720),
            video(Rendition::V360, 640, 360),
        ];
        insta::assert_snapshot!(master(&videos, Some(&audio()), &Plain), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=1568000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO="audio"
        v360.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=3008000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO="audio"
        v720.m3u8
        "#);
    }

    #[test]
    fn once_published_everything_is_measured() {
        let measured = VideoEntry {
            average_bandwidth: Some(1_000_000),
            iframes: Some(IFrameEntry {
                bandwidth: Bandwidth {
                    peak: 90_000,
                    average: 80_000,
                },
            }),
            ..video(Rendition::V720, 1280, 720)
        };
        let audio = AudioEntry {
            average_bandwidth: Some(127_000),
            ..audio()
        };
        insta::assert_snapshot!(master(&[measured], Some(&audio), &Plain), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio.m3u8"
        #EXT-X-STREAM-INF:BANDWIDTH=3008000,AVERAGE-BANDWIDTH=1127000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO="audio"
        v720.m3u8
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,AVERAGE-BANDWIDTH=80000,CODECS="avc1.64001f",RESOLUTION=1280x720,VIDEO-RANGE=SDR,URI="v720-iframes.m3u8"
        "#);
    }

    #[test]
    fn silent_pictures_and_pictureless_sound() {
        insta::assert_snapshot!(master(&[video(Rendition::V240, 426, 240)], None, &Plain), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=960000,CODECS="avc1.64001f",RESOLUTION=426x240,FRAME-RATE=29.970,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE
        v240.m3u8
        "#);
        insta::assert_snapshot!(master(&[], Some(&audio()), &Plain), @r#"
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS
        #EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2"
        audio.m3u8
        "#);
    }
}
