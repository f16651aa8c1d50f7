//! The harness's programs as processes, and the signals they get.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::{Child, Command};

/// A process. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    pub worker: PathBuf,
    pub enqueuer: PathBuf,
}

impl Programs {
    /// Those beside the program that asks.
    ///
    /// # Errors
    /// That they are not there.
    pub fn beside_me() -> Result<Self> {
        let me = std::env::current_exe()?;
        let folder = me.parent().context("no folder")?;
        let find = |name: &str| {
            let path = folder.join(name);
            path.is_file()
                .then_some(path)
                .with_context(|| format!("{name} is missing: build the package first"))
        };
        Ok(Self {
            worker: find("fault_worker")?,
            enqueuer: find("fault_enqueuer")?,
        })
    }
}

impl Process {
    /// Starts `program` with these variables besides, which ends with this process however that ends. What it writes goes
    /// to `log`.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn start(
        program: &Path,
        arguments: &[String],
        variables: &[(&'static str, String)],
        log: &Path,
    ) -> Result<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .envs(variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let id = child.id().context("it has ended already")?;
        Ok(Self {
            pid: Pid::from_raw(i32::try_from(id)?),
            child,
        })
    }

    /// Sends a signal; a process that has just ended does not mind.
    pub fn signal(&self, signal: Signal) {
        let _gone = kill(self.pid, signal);
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// Those of the system.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// How many file descriptors it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, Iterator::count)
    }
}
