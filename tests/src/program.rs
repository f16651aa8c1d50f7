//! The real binaries as processes, stopped in every way that a process can end.

use std::{
    fs::File,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

use crate::until;

/// A process in a process group of its own. Dropped, it is killed with its group.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command`; what it writes is appended to `log`.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn spawn(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        command.stderr(file.try_clone()?).stdout(file);
        let child = command
            .spawn()
            .with_context(|| format!("{:?} cannot be started", command.get_program()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it did.
    ///
    /// # Errors
    /// Those of the system.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, at once and to it alone: what it runs must end by itself.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGSTOP: it lives, but does nothing.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn freeze(&self) -> Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::SIGCONT)
    }

    /// SIGTERM: it ends as it was built to.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn terminate(&self) -> Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// That it does not within `deadline`.
    pub async fn ended(&mut self, deadline: Duration) -> Result<ExitStatus> {
        until("the process ends", deadline, async || self.status()).await
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.pid()), signal)?)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.is_running() {
            let _it_may_be_gone = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _reaped = self.child.wait();
        }
    }
}

/// One of our binaries with these settings and no other environment. It does not outlive the test, however that ends.
pub(crate) fn command(
    name: &str,
    before: &[&str],
    variables: &[(String, String)],
) -> Result<Command> {
    let binary = binary(name)?;
    let mut words: Vec<PathBuf> = Vec::new();
    if cfg!(target_os = "linux") && Path::new("/usr/bin/setpriv").exists() {
        words.extend(["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"].map(PathBuf::from));
    }
    words.extend(before.iter().map(PathBuf::from));
    words.push(binary);
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .env_clear()
        .envs(millrace_config::variable("PATH").map(|path| ("PATH", path)))
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .process_group(0)
        .stdin(Stdio::null());
    Ok(command)
}

/// A binary of this workspace: beside the one that asks, or, for a test, beside its folder.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2);
    let found = folders
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!("{name} is missing: build it first, with `cargo build --workspace`")
    })
}
