//! What is remembered of what players ask for, so that a thousand viewers are not a thousand queries. Everything is
//! read by one of them while the others wait, bounded, and true under its key for as long as it is believed:
//! generations and segments never change once they are there.

use std::time::{Duration, Instant};

use millrace_domain::{
    ids::VideoId,
    media::Rendition,
    storage::Cdn,
    videos::{Entitlement, segment_key},
};
use moka::{Expiry, future::Cache};
use sqlx::PgPool;

use super::playlists::{self, Playlist, Rendered};
use crate::problem::Problem;

/// How long an entitlement is believed: a video that was hidden or deleted is gone for players by then.
const BELIEVED: Duration = Duration::from_secs(30);
/// How long a growing playlist is: much less than a segment, which is what it grows by.
const FRESH: Duration = Duration::from_secs(1);
/// Videos whose entitlements are remembered.
const VIDEOS: u64 = 10_000;
/// Segments whose places are remembered: some 20 MB of keys.
const SEGMENTS: u64 = 100_000;
/// Bytes of playlists: some thousand hours of video.
const PLAYLISTS: u64 = 64 * 1024 * 1024;

type Segment = (VideoId, i32, Rendition, i32);

/// See the module; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    entitlements: Cache<VideoId, Entitlement>,
    segments: Cache<Segment, String>,
    playlists: Cache<Playlist, Rendered>,
}

/// Why nothing can be remembered.
enum Miss {
    Absent,
    Failed(anyhow::Error),
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            entitlements: Cache::builder()
                .max_capacity(VIDEOS)
                .time_to_live(BELIEVED)
                .build(),
            segments: Cache::new(SEGMENTS),
            playlists: Cache::builder()
                .max_capacity(PLAYLISTS)
                .weigher(|_, rendered: &Rendered| {
                    u32::try_from(rendered.weight()).unwrap_or(u32::MAX)
                })
                .expire_after(Freshness)
                .build(),
        }
    }

    /// Who may watch `video`, if that is `good` enough. Only a yes is remembered: before a no, the row is read again,
    /// because it may have been shown, or made anew, a moment ago.
    ///
    /// # Errors
    /// 404 for a no.
    pub(super) async fn entitlement(
        &self,
        db: &PgPool,
        video: VideoId,
        good: impl Fn(&Entitlement) -> bool,
    ) -> Result<Entitlement, Problem> {
        if let Some(known) = self.entitlements.get(&video).await {
            if good(&known) {
                return Ok(known);
            }
            self.entitlements.invalidate(&video).await;
        }
        let read = async { Miss::unless(Entitlement::of(db, video).await) };
        let fresh = self.entitlements.try_get_with(video, read).await;
        let fresh = fresh.map_err(|miss| miss.problem())?;
        good(&fresh).then_some(fresh).ok_or_else(Problem::not_found)
    }

    /// Forgets who may watch `video`.
    pub(super) async fn forget(&self, video: VideoId) {
        self.entitlements.invalidate(&video).await;
    }

    /// Where segment `n` lies.
    ///
    /// # Errors
    /// 404 if it is not there (yet).
    pub(super) async fn segment(
        &self,
        db: &PgPool,
        video: VideoId,
        generation: i32,
        rendition: Rendition,
        n: i32,
    ) -> Result<String, Problem> {
        let read =
            async { Miss::unless(segment_key(db, video, generation, rendition.as_str(), n).await) };
        let key = (video, generation, rendition, n);
        let found = self.segments.try_get_with(key, read).await;
        found.map_err(|miss| miss.problem())
    }

    /// A playlist, at most [`FRESH`] old while it grows. `cdn` is the same one for all that say that they name it.
    ///
    /// # Errors
    /// 404 if there is no such list (yet).
    pub(super) async fn playlist(
        &self,
        db: &PgPool,
        playlist: Playlist,
        cdn: Option<&Cdn>,
    ) -> Result<Rendered, Problem> {
        let read = async { Miss::unless(playlists::read(db, playlist, cdn).await) };
        let rendered = self.playlists.try_get_with(playlist, read).await;
        rendered.map_err(|miss| miss.problem())
    }
}

impl Miss {
    fn unless<T, E: Into<anyhow::Error>>(read: Result<Option<T>, E>) -> Result<T, Self> {
        match read {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(Self::Absent),
            Err(error) => Err(Self::Failed(error.into())),
        }
    }

    fn problem(&self) -> Problem {
        match self {
            Self::Absent => Problem::not_found(),
            Self::Failed(error) => Problem::shared(error),
        }
    }
}

/// How long playlists are remembered: final ones until there is no room.
struct Freshness;

impl Freshness {
    fn of(rendered: &Rendered) -> Option<Duration> {
        (!rendered.last).then_some(FRESH)
    }
}

impl Expiry<Playlist, Rendered> for Freshness {
    fn expire_after_create(&self, _: &Playlist, new: &Rendered, _: Instant) -> Option<Duration> {
        Self::of(new)
    }

    fn expire_after_update(
        &self,
        _: &Playlist,
        new: &Rendered,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Self::of(new)
    }
}
