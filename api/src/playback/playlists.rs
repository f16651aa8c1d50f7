//! Playlists rendered from segment rows. While a video is being made they list what all renditions have; once it
//! is ready, all there is.

use anyhow::Context as _;
use millrace_domain::{
    ids::VideoId,
    media::{
        Fps, Grid, Rendition,
        playlist::{self, AudioEntry, IFrameEntry, Stage, Uris, VideoEntry},
    },
    videos::{self, Quality, Status, Video},
};
use sqlx::PgConnection;

/// Which of the two playlists of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// It grows while the video is being made.
    Event,
    /// It is final.
    Vod,
}

/// A file below `/api/hls/{token}/{event|vod}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Master,
    Media(Rendition),
    IFrames(Rendition),
}

impl Name {
    pub(super) fn parse(file: &str) -> Option<Self> {
        let stem = file.strip_suffix(".m3u8")?;
        if stem == "master" {
            return Some(Self::Master);
        }
        match stem.strip_suffix("-iframes") {
            Some(rendition) => rendition
                .parse()
                .ok()
                .filter(|r: &Rendition| r.is_video())
                .map(Self::IFrames),
            None => stem.parse().ok().map(Self::Media),
        }
    }
}

/// Addresses relative to the playlists, so that the token in the path goes with them.
struct Relative {
    video: VideoId,
    generation: i32,
}

impl Uris for Relative {
    fn media(&self, rendition: Rendition) -> String {
        format!("{rendition}.m3u8")
    }

    fn iframes(&self, rendition: Rendition) -> String {
        format!("{rendition}-iframes.m3u8")
    }

    fn init(&self, rendition: Rendition, init_key: &str) -> String {
        let folder = folder(self.video, self.generation, rendition);
        format!(
            "../s/{rendition}/init.mp4?k={}",
            init_key.strip_prefix(&folder).unwrap_or(init_key)
        )
    }

    fn segment(&self, rendition: Rendition, n: i32) -> String {
        format!("../s/{rendition}/{n}.m4s")
    }
}

/// Where the segments of a rendition lie.
fn folder(video: VideoId, generation: i32, rendition: Rendition) -> String {
    format!("hls/{video}/{generation}/{rendition}/")
}

/// The key of the init segment that a playlist named by `tail`: below the rendition's folder, and nowhere else.
pub(super) fn init_key(
    video: VideoId,
    generation: i32,
    rendition: Rendition,
    tail: &str,
) -> Option<String> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'/' | b'.');
    let sound = !tail.is_empty()
        && tail.len() <= 100
        && tail.bytes().all(plain)
        && tail
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    sound.then(|| folder(video, generation, rendition) + tail)
}

/// Renders a playlist of `video`; none if there is no such list (yet).
pub(super) async fn render(
    conn: &mut PgConnection,
    video: &Video,
    list: List,
    name: Name,
) -> anyhow::Result<Option<String>> {
    if list == List::Vod && video.status != Status::Ready {
        return Ok(None);
    }
    let Some(grid) = grid(video) else {
        return Ok(None);
    };
    let uris = Relative {
        video: video.id,
        generation: video.generation,
    };
    match name {
        Name::Master => master(conn, video, list, &grid, &uris).await,
        Name::Media(rendition) => {
            let segments = segments(conn, video, list, rendition).await?;
            if segments.is_empty() {
                return Ok(None);
            }
            let stage = match list {
                List::Vod => Stage::Vod,
                List::Event => Stage::Event {
                    complete: video.status == Status::Ready,
                },
            };
            Ok(Some(playlist::media(
                rendition,
                stage,
                grid.target_duration(),
                &segments,
                &uris,
            )))
        }
        Name::IFrames(rendition) => {
            if list == List::Event {
                return Ok(None);
            }
            let segments = segments(conn, video, list, rendition).await?;
            Ok(playlist::iframes(
                rendition,
                grid.target_duration(),
                &segments,
                &uris,
            ))
        }
    }
}

async fn master(
    conn: &mut PgConnection,
    video: &Video,
    list: List,
    grid: &Grid,
    uris: &Relative,
) -> anyhow::Result<Option<String>> {
    let mut entries = Vec::new();
    let mut audio = None;
    for quality in videos::qualities(&mut *conn, video.id, video.generation).await? {
        let rendition: Rendition = quality
            .rendition
            .parse()
            .context("a rendition has an unknown name")?;
        // Without codecs there is no first segment yet, and so nothing to play.
        let Some(codecs) = quality.codecs.clone() else {
            return Ok(None);
        };
        let (bandwidth, average_bandwidth) = declared(&quality, list);
        match quality.width.zip(quality.height) {
            None => {
                audio = Some(AudioEntry {
                    codecs,
                    bandwidth,
                    average_bandwidth,
                });
            }
            Some((width, height)) => {
                let iframes = match list {
                    List::Event => None,
                    List::Vod => iframes(conn, video, rendition, grid).await?,
                };
                let fps = Fps::new(
                    video.fps_num.unwrap_or(grid.fps.num),
                    video.fps_den.unwrap_or(grid.fps.den),
                );
                entries.push(VideoEntry {
                    rendition,
                    width,
                    height,
                    fps,
                    codecs,
                    bandwidth,
                    average_bandwidth,
                    iframes,
                });
            }
        }
    }
    if entries.is_empty() && audio.is_none() {
        return Ok(None);
    }
    Ok(Some(playlist::master(&entries, audio.as_ref(), uris)))
}

/// The encoder's caps while it is being made, afterwards what was measured.
fn declared(quality: &Quality, list: List) -> (i32, Option<i32>) {
    match list {
        List::Event => (quality.max_bitrate, None),
        List::Vod => (
            quality.bandwidth.unwrap_or(quality.max_bitrate),
            quality.average_bandwidth,
        ),
    }
}

async fn iframes(
    conn: &mut PgConnection,
    video: &Video,
    rendition: Rendition,
    grid: &Grid,
) -> anyhow::Result<Option<IFrameEntry>> {
    let segments = segments(conn, video, List::Vod, rendition).await?;
    let known = !segments.is_empty()
        && segments
            .iter()
            .all(|segment| segment.keyframe_bytes.is_some());
    Ok(known.then(|| IFrameEntry {
        bandwidth: playlist::measure_iframes(grid.target_duration(), &segments),
    }))
}

/// All segments of a rendition, or while the video is being made, those within what every rendition has.
async fn segments(
    conn: &mut PgConnection,
    video: &Video,
    list: List,
    rendition: Rendition,
) -> anyhow::Result<Vec<playlist::Segment>> {
    let all = videos::segments(&mut *conn, video.id, video.generation, rendition.as_str()).await?;
    let count = if list == List::Vod || video.status == Status::Ready {
        all.len()
    } else {
        let window = videos::window(conn, video.id, video.generation).await?;
        window
            .segments
            .get(rendition.as_str())
            .map_or(0, |&n| usize::try_from(n).unwrap_or(0))
    };
    Ok(all.iter().take(count).map(Into::into).collect())
}

/// The grid that the plan laid over the video.
fn grid(video: &Video) -> Option<Grid> {
    let grid = video.probe.as_ref()?.get("plan")?.get("grid")?;
    serde_json::from_value(grid.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_read() {
        assert_eq!(Name::parse("master.m3u8"), Some(Name::Master));
        assert_eq!(Name::parse("v720.m3u8"), Some(Name::Media(Rendition::V720)));
        assert_eq!(
            Name::parse("audio.m3u8"),
            Some(Name::Media(Rendition::Audio))
        );
        assert_eq!(
            Name::parse("v720-iframes.m3u8"),
            Some(Name::IFrames(Rendition::V720))
        );
        for other in [
            "",
            "v721.m3u8",
            "master",
            "audio-iframes.m3u8",
            "../master.m3u8",
            "v720-iframes-iframes.m3u8",
        ] {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn an_init_segment_lies_in_its_renditions_folder() {
        let video = VideoId::new();
        let key = format!("hls/{video}/2/v720/c0-1/init.mp4");
        let uri = Relative {
            video,
            generation: 2,
        }
        .init(Rendition::V720, &key);
        assert_eq!(uri, "../s/v720/init.mp4?k=c0-1/init.mp4");
        assert_eq!(
            init_key(video, 2, Rendition::V720, "c0-1/init.mp4"),
            Some(key)
        );
        for tail in [
            "",
            "../v1080/c0-1/init.mp4",
            "/etc",
            "a//b",
            "a/../b",
            "a\u{0}",
            "a?b",
            "%2e%2e/x",
        ] {
            assert_eq!(init_key(video, 2, Rendition::V720, tail), None, "{tail}");
        }
    }
}
