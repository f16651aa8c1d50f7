//! Watching: playback tokens, playlists from rows, and redirects to the store. Bytes never pass through here.

/// Playlists rendered from segment rows.
mod playlists;
/// The routes below /api/hls, and the poster.
pub(crate) mod routes;
/// Tokens that name what may be watched.
mod token;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use millrace_domain::{
    ids::VideoId,
    videos::{Entitlement, Status, Video, Visibility},
};
use sqlx::PgPool;

pub(crate) use token::{PlaybackKey, PlaybackToken};

/// How long an entitlement is believed: a video that was hidden or deleted is gone for players by then.
const BELIEVED: Duration = Duration::from_secs(30);
/// Videos that are remembered at a time.
const REMEMBERED: usize = 10_000;

/// Mints and judges playback tokens; clones share what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Playback {
    key: PlaybackKey,
    private_ttl: Duration,
    entitlements: Arc<Mutex<HashMap<VideoId, (Instant, Entitlement)>>>,
}

impl Playback {
    /// `private_ttl` is how long the token of a private video is good for.
    pub(crate) fn new(key: PlaybackKey, private_ttl: Duration) -> Self {
        Self {
            key,
            private_ttl,
            entitlements: Arc::default(),
        }
    }

    /// The master playlist of a video that can be watched, for somebody who may.
    pub(crate) fn master_url(&self, video: &Video) -> String {
        let list = if video.status == Status::Ready {
            "vod"
        } else {
            "event"
        };
        format!("/api/hls/{}/{list}/master.m3u8", self.mint(video))
    }

    /// The poster of a video, for somebody who may see it.
    pub(crate) fn poster_url(&self, video: &Video) -> String {
        format!("/api/videos/{}/poster?t={}", video.id, self.mint(video))
    }

    /// A token for this generation of a video. Those of private videos end, at a full hour, so that an address
    /// stays the same for a while; the others do not, so that caches can work.
    fn mint(&self, video: &Video) -> String {
        let expires_at = (video.visibility == Visibility::Private).then(|| {
            let end = now() + self.private_ttl.as_secs();
            end.next_multiple_of(3_600)
        });
        self.key.mint(PlaybackToken {
            video: video.id,
            generation: video.generation,
            expires_at,
        })
    }

    /// What a token entitles to now; none if it is forged, over, or for something that was hidden, deleted or made
    /// again since.
    async fn judge(
        &self,
        db: &PgPool,
        token: &str,
    ) -> Result<Option<(PlaybackToken, Entitlement)>, sqlx::Error> {
        let Some(token) = self.key.verify(token, now()) else {
            return Ok(None);
        };
        let Some(entitlement) = self.entitlement(db, token).await? else {
            return Ok(None);
        };
        // A token without an end was made for everybody, and so it is good for what everybody may see.
        let admitted = token.expires_at.is_some() || entitlement.visibility != Visibility::Private;
        Ok(
            (admitted && entitlement.generation == token.generation)
                .then_some((token, entitlement)),
        )
    }

    async fn entitlement(
        &self,
        db: &PgPool,
        token: PlaybackToken,
    ) -> Result<Option<Entitlement>, sqlx::Error> {
        let known = {
            let map = self
                .entitlements
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            map.get(&token.video).cloned()
        };
        if let Some((at, entitlement)) = known
            && at.elapsed() < BELIEVED
            && entitlement.generation >= token.generation
            && entitlement.playable
            && entitlement.poster_key.is_some()
        {
            return Ok(Some(entitlement));
        }
        let fresh = Entitlement::of(db, token.video).await?;
        let mut map = self
            .entitlements
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if map.len() >= REMEMBERED {
            map.retain(|_, (at, _)| at.elapsed() < BELIEVED);
        }
        match &fresh {
            Some(entitlement) if map.len() < REMEMBERED => {
                map.insert(token.video, (Instant::now(), entitlement.clone()));
            }
            _ => {
                map.remove(&token.video);
            }
        }
        Ok(fresh)
    }

    /// Forgets what was remembered of a video: after its visibility changed or it was deleted here.
    pub(crate) fn forget(&self, video: VideoId) {
        self.entitlements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&video);
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}
