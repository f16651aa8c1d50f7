//! Secrets of one local installation: made at the first start, kept in the data directory, never in the source.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};

/// Letters that cannot be mistaken for another when a password is typed from a screen.
const READABLE: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// What signs, and what opens, one local installation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Secrets {
    pub storage_access_key: String,
    pub storage_secret_key: String,
    pub auth_signing_key: String,
    /// Made at the next start where it is not there: installations are older than it.
    #[serde(default)]
    pub auth_sealing_key: String,
    pub playback_signing_key: String,
    /// Empty in files of before mail was sent.
    #[serde(default)]
    pub email_signing_key: String,
    /// What the payment sandbox knows us by, and signs with. Empty in files of before there was one.
    #[serde(default)]
    pub payments_secret_key: String,
    #[serde(default)]
    pub payments_webhook_secret: String,
    /// Of the account `demo`.
    pub demo_password: String,
    /// Of the account `admin`.
    pub admin_password: String,
}

impl Secrets {
    /// Reads `secrets.toml` of a data directory, which is made when it does not exist.
    ///
    /// # Errors
    /// A file that cannot be read or written, or is not what was written.
    pub fn load_or_create(data_dir: &Path) -> io::Result<Self> {
        let path = data_dir.join("secrets.toml");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let mut secrets: Self = toml::from_str(&text).map_err(io::Error::other)?;
                let fresh = Self::new();
                let mut older = false;
                for (there, new) in [
                    (&mut secrets.auth_sealing_key, fresh.auth_sealing_key),
                    (&mut secrets.email_signing_key, fresh.email_signing_key),
                    (&mut secrets.payments_secret_key, fresh.payments_secret_key),
                    (
                        &mut secrets.payments_webhook_secret,
                        fresh.payments_webhook_secret,
                    ),
                ] {
                    if there.is_empty() {
                        *there = new;
                        older = true;
                    }
                }
                if older {
                    write_private(&path, &toml::to_string(&secrets).map_err(io::Error::other)?)?;
                }
                Ok(secrets)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secrets = Self::new();
                write_private(&path, &toml::to_string(&secrets).map_err(io::Error::other)?)?;
                Ok(secrets)
            }
            Err(error) => Err(error),
        }
    }

    fn new() -> Self {
        let mut random = rand::rng();
        let mut key = |length| Alphanumeric.sample_string(&mut random, length);
        Self {
            storage_access_key: key(20),
            storage_secret_key: key(40),
            auth_signing_key: key(48),
            auth_sealing_key: key(48),
            playback_signing_key: key(48),
            email_signing_key: key(48),
            payments_secret_key: format!("sk_test_{}", key(32)),
            payments_webhook_secret: format!("whsec_{}", key(32)),
            demo_password: password(),
            admin_password: password(),
        }
    }
}

/// Replaces a file that only this user may read, at once.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    // Temporary files are private, and a rename keeps that.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|failed| failed.error)?;
    Ok(())
}

/// Three groups of four, about 59 bits.
fn password() -> String {
    use rand::seq::IndexedRandom;
    let mut random = rand::rng();
    let mut letter = || {
        READABLE
            .choose(&mut random)
            .copied()
            .map_or('x', char::from)
    };
    let mut group = || (0..4).map(|_| letter()).collect::<String>();
    [group(), group(), group()].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_that_an_older_version_did_not_know_is_added_once() {
        let folder = tempfile::tempdir().unwrap();
        let made = Secrets::load_or_create(folder.path()).unwrap();
        let path = folder.path().join("secrets.toml");
        let text = fs::read_to_string(&path).unwrap();
        let old: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with("email_signing_key"))
            .collect();
        write_private(&path, &old.join("\n")).unwrap();
        let first = Secrets::load_or_create(folder.path()).unwrap();
        let second = Secrets::load_or_create(folder.path()).unwrap();
        assert_eq!(first.auth_signing_key, made.auth_signing_key);
        assert!(first.email_signing_key.len() >= 32);
        assert_eq!(first.email_signing_key, second.email_signing_key);
    }

    #[test]
    fn secrets_are_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let first = Secrets::load_or_create(folder.path()).unwrap();
        let second = Secrets::load_or_create(folder.path()).unwrap();
        assert_eq!(first.auth_signing_key, second.auth_signing_key);
        assert!(first.auth_signing_key.len() >= 32 && first.demo_password.len() == 14);
        assert_ne!(first.demo_password, first.admin_password);
        // A folder of an older version.
        let path = folder.path().join("secrets.toml");
        let text = fs::read_to_string(&path).unwrap();
        let older: Vec<&str> = text.lines().filter(|l| !l.contains("sealing")).collect();
        write_private(&path, &older.join("\n")).unwrap();
        let third = Secrets::load_or_create(folder.path()).unwrap();
        let fourth = Secrets::load_or_create(folder.path()).unwrap();
        assert_eq!(third.auth_signing_key, first.auth_signing_key);
        assert!(third.auth_sealing_key.len() >= 32);
        assert_eq!(third.auth_sealing_key, fourth.auth_sealing_key);
        let mode = fs::metadata(folder.path().join("secrets.toml"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
