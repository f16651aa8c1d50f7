//! Links that end mail of a kind: signed, so that they work without logging in and nobody can make one for another.
//! They do not run out: a mail of last year must still be answerable.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use uuid::Uuid;

use crate::{ids::UserId, notifications::Kind};

/// What separates these signatures from any other that the key may make.
const PURPOSE: &str = "unsubscribe";

/// What a link ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsubscribe {
    pub user: UserId,
    pub kind: Kind,
}

/// Signs links and reads them.
#[derive(Clone)]
pub struct UnsubscribeKey(hmac::Key);

impl UnsubscribeKey {
    /// A key of at least 32 characters.
    pub fn new(secret: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    /// The link's token.
    pub fn token(&self, link: Unsubscribe) -> String {
        let user = URL_SAFE_NO_PAD.encode(link.user.0.as_bytes());
        let word = link.kind.word();
        let signature = hmac::sign(&self.0, signed(&user, word).as_bytes());
        format!("{user}.{word}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// What a token ends; none if we did not sign it.
    pub fn read(&self, token: &str) -> Option<Unsubscribe> {
        let mut parts = token.split('.');
        let (user, word, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compares in constant time.
        hmac::verify(&self.0, signed(user, word).as_bytes(), &signature).ok()?;
        let user = URL_SAFE_NO_PAD.decode(user).ok()?;
        Some(Unsubscribe {
            user: UserId(Uuid::from_slice(&user).ok()?),
            kind: Kind::of_word(word)?,
        })
    }
}

impl std::fmt::Debug for UnsubscribeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

fn signed(user: &str, word: &str) -> String {
    format!("{PURPOSE}:{user}:{word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_ends_what_it_was_signed_for_and_nothing_else() {
        let key = UnsubscribeKey::new("a key of the tests, long enough for all");
        let link = Unsubscribe {
            user: UserId::new(),
            kind: Kind::VideoReady,
        };
        let token = key.token(link);
        assert_eq!(key.read(&token), Some(link));
        let other = token.replace("video_ready", "comment");
        for forged in [
            other.as_str(),
            &token[1..],
            &format!("{token}A"),
            "",
            "a.b.c",
            "..",
        ] {
            assert_eq!(key.read(forged), None, "{forged}");
        }
        let another = UnsubscribeKey::new("another key of the tests, long enough");
        assert_eq!(another.read(&token), None);
    }
}
