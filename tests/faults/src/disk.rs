//! A small disk in memory, to be filled.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use nix::unistd::geteuid;

/// A mounted disk. Dropped, it is unmounted.
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// Mounts one of 700 MB. `None` when only root may, and we are not.
    ///
    /// # Errors
    /// What mount complains of.
    pub fn mount() -> Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let folder = tempfile::Builder::new()
            .prefix("mf-disk.")
            .tempdir_in("/tmp")?;
        let ended = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=700m", "tmpfs"])
            .arg(folder.path())
            .status()?;
        ensure!(ended.success(), "mount: {ended}");
        Ok(Some(Self { folder }))
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, in case somebody still looks at it.
        let _gone = Command::new("umount")
            .arg("-l")
            .arg(self.folder.path())
            .status();
    }
}
