//! What can go wrong with the cluster, each in one line that says what to do.

use std::io;
use std::path::PathBuf;

/// Why PostgreSQL could not be started.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    #[error(
        "PostgreSQL 15 or newer is not installed: `apt-get install postgresql` on Debian and Ubuntu, \
         `brew install postgresql@17` on macOS, or name its bin directory in MILLRACE_PG_BIN"
    )]
    NotInstalled,
    #[error(
        "the database in {} was made by PostgreSQL {wanted}, which is not installed: \
         install it, or name its bin directory in MILLRACE_PG_BIN",
        folder.display()
    )]
    OtherVersion { folder: PathBuf, wanted: u32 },
    #[error(
        "PostgreSQL cannot run as root, and there is no user `postgres` or `nobody` to run it as"
    )]
    NoUser,
    #[error("the database in {} belongs to the user {owner}: start Millrace as {owner} or as root", folder.display())]
    OtherOwner { folder: PathBuf, owner: String },
    #[error("cannot use {} for the database", folder.display())]
    Folder { folder: PathBuf, source: io::Error },
    #[error("initdb failed: {0}")]
    Initdb(String),
    #[error("PostgreSQL is already running on {} (process {pid}): is another Millrace using it?", folder.display())]
    AlreadyRunning { folder: PathBuf, pid: i32 },
    #[error("failed to start {}", binary.display())]
    Spawn { binary: PathBuf, source: io::Error },
    #[error("PostgreSQL ended while it started: {reason} (log: {})", log.display())]
    Ended { reason: String, log: PathBuf },
    #[error("PostgreSQL was not ready within {seconds} s (log: {})", log.display())]
    NotReady { seconds: u64, log: PathBuf },
}
