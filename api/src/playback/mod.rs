//! Watching: playback tokens, playlists from rows, and redirects to the store. Bytes never pass through here.
//!
//! What players ask for, again and again and by the thousand, is read once and remembered: see [`Memory`].

/// What playlists name.
mod addresses;
/// The playlists of a copied picture.
mod copies;
/// How bytes reach players.
mod delivery;
/// Captions and the pictures of the seek bar.
pub(crate) mod extras;
/// What is remembered of what players ask for.
mod memory;
/// Playlists rendered from segment rows.
mod playlists;
/// The routes below /api/hls, and the poster.
pub(crate) mod routes;
/// Tokens that name what may be watched.
mod token;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_domain::{
    ids::VideoId,
    videos::{Entitlement, Status, Video, Visibility},
};
use sqlx::PgPool;

use self::{memory::Memory, playlists::List};
use crate::problem::Problem;

pub(crate) use delivery::{CookieOptions, Delivery};
pub(crate) use token::{PlaybackKey, PlaybackToken};

/// Mints and judges playback tokens; clones share what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Playback {
    key: PlaybackKey,
    private_ttl: Duration,
    delivery: Delivery,
    memory: Memory,
}

impl Playback {
    /// `private_ttl` is how long the token of a private video is good for.
    pub(crate) fn new(key: PlaybackKey, private_ttl: Duration, delivery: Delivery) -> Self {
        Self {
            key,
            private_ttl,
            delivery,
            memory: Memory::new(),
        }
    }

    /// The master playlist of a video, for somebody who may watch it; none before anything of it streams.
    pub(crate) fn master_url(&self, video: &Video) -> Option<String> {
        let list = List::of(&video.as_played())?.folder();
        Some(format!("/api/hls/{}/{list}/master.m3u8", self.mint(video)))
    }

    /// The copy of a small source, for somebody who may watch the video; none if there is none.
    pub(crate) fn file_url(&self, video: &Video) -> Option<String> {
        let there = video.as_played().file_key.is_some() && video.status != Status::Failed;
        there.then(|| format!("/api/hls/{}/file.mp4", self.mint(video)))
    }

    /// Whether players must send cookies along with requests for segments.
    pub(crate) fn wants_cookies(&self) -> bool {
        self.delivery.wants_cookies()
    }

    /// The poster of a video, for somebody who may see it.
    pub(crate) fn poster_url(&self, video: &Video) -> String {
        format!("/api/videos/{}/poster?t={}", video.id, self.mint(video))
    }

    /// A file that players show besides the video, for somebody who may watch it.
    pub(crate) fn extra_url(&self, video: &Video, file: &str) -> String {
        format!("/api/hls/{}/{file}", self.mint(video))
    }

    /// A token for this generation of a video. Those of private videos end, at a full hour, so that an address
    /// stays the same for a while; the others do not, so that caches can work.
    fn mint(&self, video: &Video) -> String {
        let expires_at = (video.visibility == Visibility::Private)
            .then(|| delivery::full_hour_after(now(), self.private_ttl));
        self.key.mint(PlaybackToken {
            video: video.id,
            generation: video.as_played().generation,
            expires_at,
        })
    }

    /// What a token entitles to now.
    ///
    /// # Errors
    /// 404 if it is forged, over, or for something that was hidden, deleted or made again since.
    async fn admit(
        &self,
        db: &PgPool,
        token: &str,
    ) -> Result<(PlaybackToken, Entitlement), Problem> {
        self.admit_to(db, token, |_| true).await
    }

    /// Where the poster lies that a token entitles to see.
    ///
    /// # Errors
    /// 404 as for [`Playback::admit`], and if there is no poster.
    async fn poster(
        &self,
        db: &PgPool,
        token: &str,
        video: VideoId,
    ) -> Result<(String, Visibility), Problem> {
        let has_poster = |known: &Entitlement| known.poster_key.is_some();
        let (token, entitlement) = self.admit_to(db, token, has_poster).await?;
        entitlement
            .poster_key
            .filter(|_| token.video == video)
            .map(|key| (key, entitlement.visibility))
            .ok_or_else(Problem::not_found)
    }

    /// Where the copy of a small source lies that a token entitles to watch.
    ///
    /// # Errors
    /// 404 as for [`Playback::admit`], and if there is none.
    async fn file(&self, db: &PgPool, token: &str) -> Result<(String, Visibility), Problem> {
        let has_file = |known: &Entitlement| known.file_key.is_some();
        let (_, entitlement) = self.admit_to(db, token, has_file).await?;
        entitlement
            .file_key
            .map(|key| (key, entitlement.visibility))
            .ok_or_else(Problem::not_found)
    }

    async fn admit_to(
        &self,
        db: &PgPool,
        token: &str,
        has: impl Fn(&Entitlement) -> bool,
    ) -> Result<(PlaybackToken, Entitlement), Problem> {
        let token = self
            .key
            .verify(token, now())
            .ok_or_else(Problem::not_found)?;
        // A token without an end was made for everybody, and so it is good for what everybody may see.
        let admits = |known: &Entitlement| {
            known.generation == token.generation
                && (token.expires_at.is_some() || known.visibility != Visibility::Private)
                && has(known)
        };
        let entitlement = self.memory.entitlement(db, token.video, admits).await?;
        Ok((token, entitlement))
    }

    /// Forgets who may watch a video: after its visibility changed or it was deleted here.
    pub(crate) async fn forget(&self, video: VideoId) {
        self.memory.forget(video).await;
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
