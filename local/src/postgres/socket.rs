//! A folder for the socket whose path is short enough: the kernel takes at most 107 bytes (103 on macOS).

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::account::Account;
use crate::place::{private_folder, short_hash};

/// PostgreSQL names its socket after the port, although nothing listens on it.
pub(super) const PORT: u16 = 5432;

const LONGEST: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Creates the socket's folder: `preferred`, or a short one under /tmp when that is too long.
pub(super) fn socket_folder(preferred: &Path, account: Option<&Account>) -> io::Result<PathBuf> {
    let socket = preferred.join(format!(".s.PGSQL.{PORT}"));
    if socket.as_os_str().len() <= LONGEST {
        private_folder(preferred, account)?;
        return Ok(preferred.into());
    }
    let short = Path::new("/tmp").join(format!("millrace-{}", short_hash(preferred)));
    let owner = account.map_or_else(|| Uid::effective().as_raw(), |account| account.uid);
    match fs::create_dir(&short) {
        Ok(()) => private_folder(&short, account)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            // Everybody may create things in /tmp: take only a real folder that is ours and closed to others.
            let found = short.symlink_metadata()?;
            if !found.is_dir() || found.uid() != owner || found.permissions().mode() & 0o077 != 0 {
                return Err(io::Error::other(format!(
                    "{} belongs to somebody else",
                    short.display()
                )));
            }
        }
        Err(error) => return Err(error),
    }
    Ok(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_gets_a_short_and_private_folder() {
        let temp = tempfile::tempdir().unwrap();
        let short = temp.path().join("run");
        assert_eq!(socket_folder(&short, None).unwrap(), short);

        let long = temp.path().join("x".repeat(100));
        let elsewhere = socket_folder(&long, None).unwrap();
        assert!(elsewhere.as_os_str().len() < 40, "{elsewhere:?}");
        assert_eq!(
            socket_folder(&long, None).unwrap(),
            elsewhere,
            "a second start takes the same"
        );
        fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o755)).unwrap();
        socket_folder(&long, None).unwrap_err();
        fs::remove_dir(&elsewhere).unwrap();
    }
}
