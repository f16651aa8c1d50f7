//! Playlists rendered from segment rows. While a video is being made they list what all renditions have; once it
//! is ready, all there is.

use anyhow::Context as _;
use axum::http::HeaderValue;
use bytes::Bytes;
use millrace_domain::{
    ids::VideoId,
    media::{
        Fps, Grid, Rendition,
        playlist::{self, AudioEntry, IFrameEntry, Stage, VideoEntry},
    },
    storage::Cdn,
    videos::{self, Quality, Status, Stream, Video},
};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgPool};

use super::{addresses::Addresses, copies};
use crate::snapshot::snapshot;

/// Which of the playlists of a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum List {
    /// It grows while the video is being made.
    Event,
    /// The copied picture: it grows while it is copied, and is watched until the ladder is there.
    Remux,
    /// It is final.
    Vod,
}

impl List {
    pub(super) fn parse(folder: &str) -> Option<Self> {
        [Self::Event, Self::Remux, Self::Vod]
            .into_iter()
            .find(|list| list.folder() == folder)
    }

    /// As addresses spell it.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Remux => "remux",
            Self::Vod => "vod",
        }
    }

    /// The one that a player is given now; none if there is nothing to play yet, or only a file.
    pub(super) fn of(video: &Video) -> Option<Self> {
        match (video.status, video.stream) {
            (Status::Failed, _) => None,
            (Status::Ready, _) => Some(Self::Vod),
            (Status::Processing, Some(Stream::Remux)) => Some(Self::Remux),
            (Status::Processing, Some(Stream::Event)) => Some(Self::Event),
            // A worker of before there were copies says only that it plays.
            (Status::Processing, None) => {
                (video.playable_at.is_some() && video.file_key.is_none()).then_some(Self::Event)
            }
        }
    }
}

/// A file below `/api/hls/{token}/{event|remux|vod}/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Name {
    Master,
    Media(Rendition),
    IFrames(Rendition),
}

/// A playlist of one generation of a video. It is the same for every token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Playlist {
    pub(super) video: VideoId,
    pub(super) generation: i32,
    pub(super) list: List,
    pub(super) name: Name,
    /// Segments are named where the CDN has them.
    pub(super) direct: bool,
}

/// A playlist's text.
#[derive(Debug, Clone)]
pub(super) struct Rendered {
    pub(super) text: Bytes,
    /// Weak, since the text may travel compressed.
    pub(super) tag: HeaderValue,
    /// It will not change any more.
    pub(super) last: bool,
}

impl Rendered {
    fn new(text: String, last: bool) -> anyhow::Result<Self> {
        let digest = Sha256::digest(text.as_bytes());
        let tag = format!("W/\"{}\"", hex::encode(&digest[..12]));
        Ok(Self {
            text: text.into(),
            tag: tag.try_into()?,
            last,
        })
    }

    /// Bytes in memory.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + 200
    }
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

/// Reads what a playlist lists and renders it; none if there is no such list (yet, or any more).
pub(super) async fn read(
    db: &PgPool,
    playlist: Playlist,
    cdn: Option<&Cdn>,
) -> anyhow::Result<Option<Rendered>> {
    // One snapshot, so that a list never names what its window does not know.
    let mut tx = snapshot(db).await?;
    let video = Video::find(&mut *tx, playlist.video)
        .await?
        .map(|video| video.as_played().into_owned())
        .filter(|video| video.generation == playlist.generation);
    let Some(video) = video else {
        return Ok(None);
    };
    let addresses = Addresses {
        video: video.id,
        generation: video.generation,
        cdn,
    };
    let rendered = match playlist.list {
        List::Remux => copy(&mut tx, &video, playlist.name, &addresses).await?,
        list => {
            let text = render(&mut tx, &video, list, playlist.name, &addresses).await?;
            text.map(|text| (text, video.status == Status::Ready))
        }
    };
    tx.commit().await?;
    rendered
        .map(|(text, last)| Rendered::new(text, last))
        .transpose()
}

async fn copy(
    conn: &mut PgConnection,
    video: &Video,
    name: Name,
    uris: &Addresses<'_>,
) -> anyhow::Result<Option<(String, bool)>> {
    let Some(grid) = grid(video) else {
        return Ok(None);
    };
    copies::render(conn, video, &grid, name, uris).await
}

async fn render(
    conn: &mut PgConnection,
    video: &Video,
    list: List,
    name: Name,
    uris: &Addresses<'_>,
) -> anyhow::Result<Option<String>> {
    if list == List::Vod && video.status != Status::Ready {
        return Ok(None);
    }
    let Some(grid) = grid(video) else {
        return Ok(None);
    };
    match name {
        Name::Master => master(conn, video, list, &grid, uris).await,
        // Copies are listed by themselves.
        Name::Media(Rendition::Source) | Name::IFrames(Rendition::Source) => Ok(None),
        Name::Media(rendition) => {
            let segments = segments(conn, video, list, rendition).await?;
            if segments.is_empty() {
                return Ok(None);
            }
            let stage = match list {
                List::Vod => Stage::Vod,
                _ => Stage::Event {
                    complete: video.status == Status::Ready,
                },
            };
            Ok(Some(playlist::media(
                rendition,
                stage,
                grid.target_duration(),
                &segments,
                uris,
            )))
        }
        Name::IFrames(rendition) => {
            if list != List::Vod {
                return Ok(None);
            }
            let segments = segments(conn, video, list, rendition).await?;
            Ok(playlist::iframes(
                rendition,
                grid.target_duration(),
                &segments,
                uris,
            ))
        }
    }
}

async fn master(
    conn: &mut PgConnection,
    video: &Video,
    list: List,
    grid: &Grid,
    uris: &Addresses<'_>,
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
                    List::Event | List::Remux => None,
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
        List::Event | List::Remux => (quality.max_bitrate, None),
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
    fn folders_name_lists() {
        for list in [List::Event, List::Remux, List::Vod] {
            assert_eq!(List::parse(list.folder()), Some(list));
        }
        assert_eq!(List::parse("s"), None);
    }

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
}
