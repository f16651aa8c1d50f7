//! How the bytes of a video reach players: from the store by presigned addresses; or from a CDN, which serves whoever
//! knows an address or, like CloudFront, whoever shows what we signed.
//!
//! | | redirected to | playlists name | shown by |
//! |---|---|---|---|
//! | no CDN | the store, presigned | us | the address |
//! | a CDN without a key, public or unlisted | the CDN | the CDN | nothing |
//! | a CDN without a key, private | the store, presigned | us | the address |
//! | a CDN with a key | the CDN, signed | the CDN | cookies that playlists bring |
//!
//! Playlists name the CDN themselves, because a redirect costs every viewer a round trip per segment and us a request;
//! what it costs is that who may no longer watch is stopped at the playlist, within 30 s, and at the segments only when
//! the cookies end. Without a CDN each segment is asked for here.

use std::{sync::Arc, time::Duration};

use axum::http::{HeaderValue, Method};
use millrace_domain::{
    ids::VideoId,
    storage::{Cdn, GetOptions, Pass, Storage},
    videos::Visibility,
};
use moka::future::Cache;

use super::now;

/// How long a redirect to a public object may be kept, and how much longer the address that it names is good.
const SHARED_FOR: Duration = Duration::from_secs(3_600);
const SHARED_TTL: Duration = Duration::from_secs(6 * 3_600);
/// How long the address of a private object is good.
const PRIVATE_TTL: Duration = Duration::from_secs(60);
/// Passes that are remembered, since signing one costs a millisecond: some 15 MB.
const PASSES: u64 = 10_000;

/// How cookies are set for the CDN.
#[derive(Debug, Clone)]
pub(crate) struct CookieOptions {
    /// The domain that we and the CDN have in common; empty for the same host.
    pub(crate) domain: String,
    /// The path of the CDN's address, ending in a slash.
    pub(crate) path: String,
    /// Whether browsers reach both by https.
    pub(crate) secure: bool,
    /// How long they are good for, up to the next full hour.
    pub(crate) ttl: Duration,
}

/// See the module; clones share what is remembered.
#[derive(Debug, Clone)]
pub(crate) struct Delivery(Option<Edge>);

#[derive(Debug, Clone)]
struct Edge {
    cdn: Cdn,
    cookies: Arc<CookieOptions>,
    /// By what they are for and when they end.
    passes: Cache<(String, u64), Arc<Pass>>,
}

/// Where an object is, for now.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) url: String,
    pub(super) caching: String,
}

impl Delivery {
    /// From the store alone.
    pub(crate) fn from_store() -> Self {
        Self(None)
    }

    /// From a CDN.
    pub(crate) fn from_cdn(cdn: Cdn, cookies: CookieOptions) -> Self {
        Self(Some(Edge {
            cdn,
            cookies: Arc::new(cookies),
            passes: Cache::builder()
                .max_capacity(PASSES)
                .time_to_live(SHARED_FOR)
                .build(),
        }))
    }

    /// Whether players must send cookies along with requests for segments.
    pub(crate) fn wants_cookies(&self) -> bool {
        self.0.as_ref().is_some_and(|edge| edge.cdn.signs())
    }

    /// The CDN, if such videos come from there.
    pub(super) fn cdn(&self, visibility: Visibility) -> Option<&Cdn> {
        self.edge(visibility).map(|edge| &edge.cdn)
    }

    fn edge(&self, visibility: Visibility) -> Option<&Edge> {
        self.0
            .as_ref()
            .filter(|edge| edge.cdn.signs() || visibility != Visibility::Private)
    }

    /// The cookies that let a player at all objects of a generation, as `Set-Cookie` says them; none where none are
    /// asked for. They end when the playback token does, if it does, but at the latest after the configured time.
    ///
    /// # Errors
    /// That nothing could be signed.
    pub(super) async fn cookies(
        &self,
        video: VideoId,
        generation: i32,
        token_ends: Option<u64>,
    ) -> anyhow::Result<Vec<HeaderValue>> {
        let Some(edge) = self.0.as_ref().filter(|edge| edge.cdn.signs()) else {
            return Ok(Vec::new());
        };
        let now = now();
        let latest = full_hour_after(now, edge.cookies.ttl);
        let ends = token_ends.map_or(latest, |ends| ends.min(latest));
        let folder = format!("hls/{video}/{generation}/");
        let Some(pass) = edge.pass(&format!("{folder}*"), ends).await? else {
            return Ok(Vec::new());
        };
        let attributes = edge.cookies.attributes(&folder, ends.saturating_sub(now));
        let set = pass
            .cookies()
            .map(|(name, value)| HeaderValue::try_from(format!("{name}={value}{attributes}")));
        Ok(set.into_iter().collect::<Result<_, _>>()?)
    }

    /// Where a request for an object goes on to, and how long it may remember that: not as long as the address is good.
    ///
    /// # Errors
    /// That nothing could be signed.
    pub(super) async fn find(
        &self,
        storage: &Storage,
        key: &str,
        visibility: Visibility,
        method: &Method,
    ) -> anyhow::Result<Whereabouts> {
        let shared = visibility != Visibility::Private;
        let ttl = if shared { SHARED_TTL } else { PRIVATE_TTL };
        let url = match self.edge(visibility) {
            Some(edge) => {
                let ends = if shared {
                    full_hour_after(now(), ttl)
                } else {
                    now() + ttl.as_secs()
                };
                edge.url(key, ends).await?
            }
            None => {
                let options = GetOptions { ttl, shared };
                if *method == Method::HEAD {
                    storage.presign_head(key, options).await?
                } else {
                    storage.presign_get(key, options).await?
                }
            }
        };
        // The answer to a HEAD is not for those who GET.
        let caching = if shared && *method == Method::GET {
            format!("public, max-age={}", SHARED_FOR.as_secs())
        } else {
            "private, no-store".to_owned()
        };
        Ok(Whereabouts { url, caching })
    }
}

impl Edge {
    async fn url(&self, key: &str, ends: u64) -> anyhow::Result<String> {
        let url = self.cdn.url(key);
        Ok(match self.pass(key, ends).await? {
            Some(pass) => format!("{url}?{}", pass.query()),
            None => url,
        })
    }

    async fn pass(&self, key: &str, ends: u64) -> anyhow::Result<Option<Arc<Pass>>> {
        if !self.cdn.signs() {
            return Ok(None);
        }
        let id = (key.to_owned(), ends);
        if let Some(known) = self.passes.get(&id).await {
            return Ok(Some(known));
        }
        let pass = self.cdn.pass(key, ends)?.map(Arc::new);
        if let Some(pass) = &pass {
            self.passes.insert(id, pass.clone()).await;
        }
        Ok(pass)
    }
}

impl CookieOptions {
    /// What follows a cookie's name and value. Bound to the folder, so that two videos do not take each other's, and
    /// for pages of others too (embedded players), where that is possible: they entitle to nothing but reading.
    fn attributes(&self, folder: &str, seconds: u64) -> String {
        let domain = match self.domain.as_str() {
            "" => String::new(),
            domain => format!("; Domain={domain}"),
        };
        let site = if self.secure {
            "; Secure; SameSite=None"
        } else {
            "; SameSite=Lax"
        };
        format!(
            "; Path={}{folder}{domain}; Max-Age={seconds}; HttpOnly{site}",
            self.path
        )
    }
}

/// The full hour after `ttl` from now: the same for everybody for an hour, and never too early.
pub(super) fn full_hour_after(now: u64, ttl: Duration) -> u64 {
    (now + ttl.as_secs()).next_multiple_of(3_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_go_where_the_segments_are_and_nowhere_else() {
        let options = |domain: &str, secure| CookieOptions {
            domain: domain.to_owned(),
            path: "/media/".to_owned(),
            secure,
            ttl: Duration::from_secs(60),
        };
        assert_eq!(
            options("example.org", true).attributes("hls/v/1/", 90),
            "; Path=/media/hls/v/1/; Domain=example.org; Max-Age=90; HttpOnly; Secure; SameSite=None"
        );
        assert_eq!(
            options("", false).attributes("hls/v/1/", 90),
            "; Path=/media/hls/v/1/; Max-Age=90; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn ends_are_full_hours() {
        assert_eq!(full_hour_after(7_200, Duration::from_secs(3_600)), 10_800);
        assert_eq!(full_hour_after(7_201, Duration::from_secs(3_600)), 14_400);
    }
}
