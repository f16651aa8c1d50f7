//! Which PostgreSQL is installed: the newest of the usual places.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::PostgresError;

/// Oldest version that Millrace supports.
const OLDEST: u32 = 15;

/// The folders where packages put one folder per version.
const VERSIONED: [&str; 6] = [
    "/usr/lib/postgresql",
    "/usr/pgsql",
    "/opt/homebrew/opt",
    "/usr/local/opt",
    "/usr/libexec",
    "/Applications/Postgres.app/Contents/Versions",
];

/// The programs of one PostgreSQL version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    pub folder: PathBuf,
    /// Major version.
    pub version: u32,
}

impl Binaries {
    /// The newest installed version that is new enough; `named` (MILLRACE_PG_BIN) and nothing else when it is given.
    ///
    /// # Errors
    /// None is installed.
    pub fn find(named: Option<&Path>) -> Result<Self, PostgresError> {
        // Of equal versions the first counts: a package's own folder rather than a link in PATH.
        Self::all(named)
            .into_iter()
            .rev()
            .max_by_key(|found| found.version)
            .ok_or(PostgresError::NotInstalled)
    }

    /// The binaries that can open a cluster of this version.
    pub(super) fn of_version(
        named: Option<&Path>,
        wanted: u32,
        folder: &Path,
    ) -> Result<Self, PostgresError> {
        let all = Self::all(named);
        let none = all.is_empty();
        let found = all.into_iter().find(|found| found.version == wanted);
        found.ok_or_else(|| match none {
            true => PostgresError::NotInstalled,
            false => PostgresError::OtherVersion {
                folder: folder.into(),
                wanted,
            },
        })
    }

    /// The path of one program.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn all(named: Option<&Path>) -> Vec<Self> {
        let folders = match named {
            Some(named) => vec![named.to_path_buf()],
            None => candidates(),
        };
        let known = folders.into_iter().filter_map(|folder| {
            Some(Self {
                version: version_of(&folder)?,
                folder,
            })
        });
        known.filter(|found| found.version >= OLDEST).collect()
    }
}

fn candidates() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in VERSIONED {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten();
        folders.extend(entries.map(|entry| entry.path().join("bin")));
    }
    let path = std::env::split_paths(&millrace_config::variable("PATH").unwrap_or_default())
        .collect::<Vec<_>>();
    folders.extend(path);
    folders.retain(|folder| folder.join("postgres").is_file() && folder.join("initdb").is_file());
    folders
}

/// The major version, from `postgres (PostgreSQL) 15.9 (Debian ...)`.
fn version_of(folder: &Path) -> Option<u32> {
    let answer = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let answer = String::from_utf8(answer.stdout).ok()?;
    let number = answer.split(' ').nth(2)?;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}
