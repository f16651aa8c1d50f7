//! Where sources and open segments of one worker process lie.

use std::path::{Path, PathBuf};

use nix::{errno::Errno, sys::signal::kill, unistd::Pid};

/// A directory of this process's own: several workers of one machine never share open segments. It is removed when
/// dropped, since it holds nothing of worth: whoever runs an interrupted job next makes its open segments anew.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
}

impl WorkDir {
    /// Names the directory, below `base` or, when that is empty, the system's temporary directory, and removes what
    /// killed workers left beside it. It is made when first used.
    pub(crate) fn claim(base: &Path) -> Self {
        let base = if base.as_os_str().is_empty() {
            std::env::temp_dir().join("millrace")
        } else {
            base.to_owned()
        };
        remove_orphans(&base);
        Self {
            path: base.join(format!("worker-{}", std::process::id())),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now is an orphan for the next worker.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Removes directories that bear the id of a process that is gone, or our own: that one is of an earlier life, as in
/// a container, where every worker is process 1.
fn remove_orphans(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|n| n.strip_prefix("worker-")?.parse().ok());
        let Some(pid) = pid.map(Pid::from_raw) else {
            continue;
        };
        if kill(pid, None) != Err(Errno::ESRCH) && pid != Pid::this() {
            continue;
        }
        let path = entry.path();
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tracing::debug!(path = %path.display(), "removed what a killed worker left"),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "cannot remove what a killed worker left");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dead_workers_left_goes_and_what_live_ones_use_stays() {
        let base = std::env::temp_dir().join(format!("millrace-work-dir-{}", std::process::id()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = base.join(format!("worker-{}", child.id()));
        child.wait().unwrap();
        let live = base.join("worker-1");
        let other = base.join("sources-of-somebody");
        for dir in [&dead, &live, &other] {
            std::fs::create_dir_all(dir).unwrap();
        }
        let claimed = WorkDir::claim(&base);
        std::fs::create_dir_all(claimed.path()).unwrap();
        assert!(!dead.exists() && live.exists() && other.exists());
        let path = claimed.path().to_owned();
        drop(claimed);
        assert!(!path.exists());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
