//! The data directory of the cluster: its user, its place, its first start.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::binaries::Binaries;
use super::error::PostgresError;
use super::socket::socket_folder;
use crate::account::{Account, running_as_root};
use crate::place::{Place, place, private_folder};

/// A cluster that exists and may be started.
#[derive(Debug)]
pub(super) struct Cluster {
    pub folder: PathBuf,
    pub moved: bool,
    pub socket: PathBuf,
    pub log: PathBuf,
    pub binaries: Binaries,
    /// Who runs it, when that is not this process's user.
    pub account: Option<Account>,
}

impl Cluster {
    /// Finds the cluster of a data directory, or creates it. Blocks.
    pub(super) fn prepare(data_dir: &Path, bin_dir: Option<&Path>) -> Result<Self, PostgresError> {
        let unusable = |folder: &Path| {
            let folder = folder.to_path_buf();
            move |source: io::Error| PostgresError::Folder { folder, source }
        };
        fs::create_dir_all(data_dir).map_err(unusable(data_dir))?;
        let mut account = Account::for_postgres();
        if running_as_root() && account.is_none() {
            return Err(PostgresError::NoUser);
        }
        let Place { folder, moved } =
            place(data_dir, "postgres", account.as_ref()).map_err(unusable(data_dir))?;
        // Whoever made the cluster owns its files and goes on running it.
        if let Some(owner) = Account::other_owner_of(&folder.join("PG_VERSION")) {
            if !running_as_root() {
                return Err(PostgresError::OtherOwner {
                    folder,
                    owner: owner.name,
                });
            }
            account = Some(owner);
        }
        let parent = folder.parent().unwrap_or(data_dir);
        fs::create_dir_all(parent).map_err(unusable(parent))?;
        let run = parent.join("run");
        let socket = socket_folder(&run, account.as_ref()).map_err(unusable(&run))?;
        let log = parent.join("postgres.log");

        let version = fs::read_to_string(folder.join("PG_VERSION")).ok();
        let binaries = match version
            .as_deref()
            .and_then(|version| version.trim().parse().ok())
        {
            Some(version) => Binaries::of_version(bin_dir, version, &folder)?,
            None => Binaries::find(bin_dir)?,
        };
        let cluster = Self {
            folder,
            moved,
            socket,
            log,
            binaries,
            account,
        };
        if version.is_none() {
            cluster.create()?;
        }
        Ok(cluster)
    }

    /// A command that runs a program as the cluster's user and, where the system can, ends it by SIGINT when the thread
    /// that spawned it ends.
    pub(super) fn command(&self, program: &str) -> Command {
        let program = self.binaries.program(program);
        // setpriv spares us unsafe code between fork and exec. It replaces itself, so the child's id is the program's.
        let setpriv = Path::new("/usr/bin/setpriv");
        let mut command = if cfg!(target_os = "linux") && setpriv.exists() {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "INT"]);
            if let Some(Account { uid, gid, .. }) = &self.account {
                command.args([
                    format!("--reuid={uid}"),
                    format!("--regid={gid}"),
                    "--clear-groups".into(),
                ]);
            }
            command.arg("--").arg(program);
            command
        } else {
            let mut command = Command::new(program);
            if let Some(account) = &self.account {
                command.uid(account.uid).gid(account.gid);
            }
            command
        };
        // A group of its own: Ctrl-C in a terminal reaches the whole group, and the database must be the last to end.
        command
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::null());
        // Nothing of the caller's environment steers the private cluster.
        for variable in [
            "PGDATA",
            "PGPORT",
            "PGHOST",
            "PGOPTIONS",
            "PGDATABASE",
            "PGUSER",
        ] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs initdb beside the final folder and renames it: a kill leaves no half cluster that looks like a whole one.
    fn create(&self) -> Result<(), PostgresError> {
        let unusable = |source| PostgresError::Folder {
            folder: self.folder.clone(),
            source,
        };
        let fresh = self.folder.with_extension("new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(unusable)?;
        }
        private_folder(&fresh, self.account.as_ref()).map_err(unusable)?;
        // C.UTF-8 sorts alike everywhere and knows Chinese letters, which pg_trgm needs; where the C library has no
        // such locale (macOS), ICU's root locale does the same.
        let first = self.initdb(&fresh, &["--locale=C.UTF-8"]);
        if first.is_err() {
            private_folder(&fresh, self.account.as_ref()).map_err(unusable)?;
            self.initdb(
                &fresh,
                &["--locale=C", "--locale-provider=icu", "--icu-locale=und"],
            )
            .or(first)?;
        }
        fs::rename(&fresh, &self.folder).map_err(unusable)
    }

    fn initdb(&self, folder: &Path, locale: &[&str]) -> Result<(), PostgresError> {
        let mut command = self.command("initdb");
        command.arg("-D").arg(folder);
        command.args([
            "-U",
            "postgres",
            "-E",
            "UTF8",
            "--auth=trust",
            "--data-checksums",
            "--no-instructions",
        ]);
        let output = command.args(locale.iter().map(OsStr::new)).output();
        let output = output.map_err(|source| PostgresError::Spawn {
            binary: self.binaries.program("initdb"),
            source,
        })?;
        if output.status.success() {
            return Ok(());
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = errors
            .lines()
            .find(|line| line.contains("error:"))
            .or(errors.lines().last());
        Err(PostgresError::Initdb(
            line.unwrap_or("it said nothing").trim().into(),
        ))
    }
}
