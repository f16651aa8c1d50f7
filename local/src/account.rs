//! The unprivileged users that PostgreSQL and ffmpeg run as when Millrace is started as root.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};

/// A user of the operating system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// The user that PostgreSQL, which refuses to be root, runs as: `None` when this process is not root.
    pub fn for_postgres() -> Option<Self> {
        if running_as_root() {
            Self::named("postgres").or_else(|| Self::named("nobody"))
        } else {
            None
        }
    }

    /// The user that ffmpeg, which reads files of strangers, runs as: `None` when this process is not root.
    pub fn for_media(name: &str) -> Option<Self> {
        if running_as_root() {
            Self::named(name)
        } else {
            None
        }
    }

    /// The user who owns a file, unless that is this process's user.
    pub fn other_owner_of(path: &Path) -> Option<Self> {
        let owner = path.metadata().ok()?.uid();
        if owner == Uid::effective().as_raw() {
            return None;
        }
        User::from_uid(owner.into()).ok().flatten().map(Self::from)
    }

    /// Whether the user can enter `folder`. Tried, not computed: access lists and mounts have a say besides mode bits.
    pub fn reaches(&self, folder: &Path) -> bool {
        let mut probe = Command::new("test");
        probe
            .arg("-x")
            .arg(folder)
            .uid(self.uid)
            .gid(self.gid)
            .current_dir("/");
        let ended = probe
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        ended.is_ok_and(|status| status.success())
    }

    fn named(name: &str) -> Option<Self> {
        User::from_name(name).ok().flatten().map(Self::from)
    }
}

impl From<User> for Account {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
        }
    }
}

/// Whether this process is root.
pub fn running_as_root() -> bool {
    Uid::effective().is_root()
}
