//! Where the parts of the stack keep their state, below the data directory or beside it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::account::Account;

/// Where state goes that an unprivileged user must reach and the data directory does not let it.
const ELSEWHERE: &str = "/var/lib/millrace";

/// A folder that was chosen for an account.
#[derive(Debug, Clone)]
pub struct Place {
    pub folder: PathBuf,
    /// The account cannot reach the data directory, so the folder is elsewhere.
    pub moved: bool,
}

/// The folder for `name`: in the data directory, or in `/var/lib/millrace/{hash}` when `account` cannot get there.
///
/// # Errors
/// The data directory cannot be resolved.
pub fn place(data_dir: &Path, name: &str, account: Option<&Account>) -> io::Result<Place> {
    let data_dir = data_dir.canonicalize()?;
    match account {
        Some(account) if !account.reaches(&data_dir) => {
            let folder = Path::new(ELSEWHERE).join(short_hash(&data_dir)).join(name);
            Ok(Place {
                folder,
                moved: true,
            })
        }
        _ => Ok(Place {
            folder: data_dir.join(name),
            moved: false,
        }),
    }
}

/// Creates a folder that only `account` (or this user) and root can enter.
///
/// # Errors
/// As the file system says.
pub fn private_folder(folder: &Path, account: Option<&Account>) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if let Some(account) = account {
        chown(folder, Some(account.uid), Some(account.gid))?;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// A short name for a path.
pub(crate) fn short_hash(path: &Path) -> String {
    hex::encode(&Sha256::digest(path.as_os_str().as_encoded_bytes())[..6])
}
