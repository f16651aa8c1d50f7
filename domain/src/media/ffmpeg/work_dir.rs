//! Private directories, and whose they are.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use nix::unistd::{Gid, Uid, chown};
use tempfile::TempDir;

use crate::media::error::{Class, MediaError};

/// The unprivileged user that ffmpeg runs as when we are root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaUser {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
}

impl MediaUser {
    /// Gives a file or directory to the user, unless it has it already.
    pub fn own(self, path: &Path) -> io::Result<()> {
        if fs::metadata(path)?.uid() != self.uid {
            chown(
                path,
                Some(Uid::from_raw(self.uid)),
                Some(Gid::from_raw(self.gid)),
            )?;
        }
        Ok(())
    }
}

/// A directory that only the media user (and root) can enter. Removed with all it holds when dropped.
#[derive(Debug)]
pub(crate) struct WorkDir {
    dir: TempDir,
    user: Option<MediaUser>,
}

impl WorkDir {
    /// Makes one named after its purpose in `parent`, which is made, too, if it is missing.
    pub(crate) fn create(
        parent: &Path,
        purpose: &str,
        user: Option<MediaUser>,
    ) -> Result<Self, MediaError> {
        Self::try_create(parent, purpose, user).map_err(|error| unusable(parent, &error))
    }

    fn try_create(parent: &Path, purpose: &str, user: Option<MediaUser>) -> io::Result<Self> {
        if !parent.is_dir() {
            // Others may pass through, not look: the media user needs the way to its own directory.
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o711)
                .create(parent)?;
        }
        let dir = tempfile::Builder::new()
            .prefix(&format!("{purpose}-"))
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        if let Some(user) = user {
            user.own(dir.path())?;
        }
        Ok(Self { dir, user })
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A directory inside, with the same owner.
    pub(crate) fn subdirectory(&self, name: &str) -> Result<PathBuf, MediaError> {
        let path = self.dir.path().join(name);
        let made = fs::DirBuilder::new().mode(0o700).create(&path);
        made.and_then(|()| self.user.map_or(Ok(()), |user| user.own(&path)))
            .map_err(|error| unusable(&path, &error))?;
        Ok(path)
    }
}

fn unusable(path: &Path, error: &io::Error) -> MediaError {
    let class = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::OutOfMemory => Class::Resource,
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => Class::Configuration,
        _ => Class::Transient,
    };
    MediaError::new(class, "The working directory cannot be used.")
        .with_detail(format!("{}: {error}", path.display()))
}
