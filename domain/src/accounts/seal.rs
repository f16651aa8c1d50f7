//! Secrets that have to be read again, encrypted at rest: a copy of the database is no key to anything.

use rand::Rng as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};

use crate::ids::UserId;

/// Encrypts what belongs to one person. ChaCha20-Poly1305 under a random nonce: a person enrols a few times in their
/// life, far below the number at which 96 random bits would repeat.
pub struct Sealer(LessSafeKey);

/// What was stored cannot be read: another key sealed it, or it was moved from somebody else's row.
#[derive(Debug, thiserror::Error)]
#[error("a sealed secret cannot be opened with auth.sealing_key")]
pub struct Unsealable;

impl Sealer {
    /// Makes the key of a setting.
    ///
    /// # Panics
    /// Never: a SHA-256 has the length of a key.
    pub fn new(key: &str) -> Self {
        let key = Sha256::digest(key.as_bytes());
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key)
            .expect("a SHA-256 has the length of a ChaCha20 key");
        Self(LessSafeKey::new(key))
    }

    /// The nonce and the ciphertext, which opens for this person only.
    pub(super) fn seal(&self, user: UserId, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0_u8; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut sealed = secret.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(user.0.as_bytes()),
                &mut sealed,
            )
            .expect("a secret is far shorter than what one nonce may encrypt");
        [nonce.as_slice(), &sealed].concat()
    }

    /// What was sealed for this person.
    pub(super) fn open(&self, user: UserId, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        let mut sealed = sealed.to_vec();
        let secret = self
            .0
            .open_in_place(nonce, Aad::from(user.0.as_bytes()), &mut sealed)
            .map_err(|_| Unsealable)?;
        Ok(secret.to_vec())
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_person_and_key_only() {
        let (sealer, user) = (Sealer::new("one key"), UserId::new());
        let sealed = sealer.seal(user, b"a secret");
        assert_eq!(sealer.open(user, &sealed).unwrap(), b"a secret");
        assert_ne!(sealed, sealer.seal(user, b"a secret"));
        assert!(sealer.open(UserId::new(), &sealed).is_err());
        assert!(Sealer::new("another").open(user, &sealed).is_err());
        let mut touched = sealed;
        touched[NONCE_LEN] ^= 1;
        assert!(sealer.open(user, &touched).is_err());
        assert!(sealer.open(user, b"short").is_err());
    }
}
