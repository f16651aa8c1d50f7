//! Tokens that name what may be watched. Players cannot set headers, so the token is a part of the path, and
//! everything that a playlist names is relative to it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use millrace_domain::ids::VideoId;
use sha2::Sha256;
use uuid::Uuid;

/// What a MAC is made for, so that it can stand for nothing else under the same key.
const PURPOSE: &[u8] = b"millrace playback v1";
const BODY: usize = 16 + 4 + 8;
const MAC: usize = 32;

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaybackToken {
    pub video: VideoId,
    pub generation: i32,
    /// Seconds since 1970; none for what everybody may watch.
    pub expires_at: Option<u64>,
}

/// The key that signs tokens.
#[derive(Clone)]
pub(crate) struct PlaybackKey(Hmac<Sha256>);

impl std::fmt::Debug for PlaybackKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlaybackKey")
    }
}

impl PlaybackKey {
    /// A key from the configured secret.
    pub(crate) fn new(secret: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(PURPOSE);
        Self(mac)
    }

    /// `b64url(video || generation || expiry || mac)`; the same input gives the same text.
    pub(crate) fn mint(&self, token: PlaybackToken) -> String {
        let mut bytes = [0_u8; BODY + MAC];
        bytes[..16].copy_from_slice(token.video.0.as_bytes());
        bytes[16..20].copy_from_slice(&token.generation.to_be_bytes());
        bytes[20..28].copy_from_slice(&token.expires_at.unwrap_or(0).to_be_bytes());
        let mac = self
            .0
            .clone()
            .chain_update(&bytes[..BODY])
            .finalize()
            .into_bytes();
        bytes[BODY..].copy_from_slice(&mac);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What `text` says if we signed it and it is not over.
    pub(crate) fn verify(&self, text: &str, now: u64) -> Option<PlaybackToken> {
        let bytes: [u8; BODY + MAC] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (body, mac) = bytes.split_at(BODY);
        self.0.clone().chain_update(body).verify_slice(mac).ok()?;
        let expires_at = u64::from_be_bytes(body[20..28].try_into().ok()?);
        if expires_at != 0 && expires_at <= now {
            return None;
        }
        Some(PlaybackToken {
            video: VideoId(Uuid::from_slice(&body[..16]).ok()?),
            generation: i32::from_be_bytes(body[16..20].try_into().ok()?),
            expires_at: (expires_at != 0).then_some(expires_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(expires_at: Option<u64>) -> PlaybackToken {
        PlaybackToken {
            video: VideoId::new(),
            generation: 3,
            expires_at,
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let key = PlaybackKey::new("0123456789abcdef0123456789abcdef");
        for token in [token(None), token(Some(2_000))] {
            let text = key.mint(token);
            assert_eq!(text, key.mint(token));
            assert_eq!(key.verify(&text, 1_999), Some(token));
        }
        assert_eq!(key.verify(&key.mint(token(Some(2_000))), 2_000), None);
    }

    #[test]
    fn forgeries_are_refused() {
        let key = PlaybackKey::new("0123456789abcdef0123456789abcdef");
        let good = key.mint(token(Some(2_000)));
        let other = PlaybackKey::new("fedcba9876543210fedcba9876543210").mint(token(None));
        let bytes = URL_SAFE_NO_PAD.decode(&good).unwrap();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            assert_eq!(
                key.verify(&URL_SAFE_NO_PAD.encode(changed), 0),
                None,
                "byte {i}"
            );
        }
        for text in [
            "",
            "x",
            &good[1..],
            &format!("{good}A"),
            &other,
            "../../etc/passwd",
        ] {
            assert_eq!(key.verify(text, 0), None, "{text}");
        }
    }
}
