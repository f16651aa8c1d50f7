//! Worker processes: the real binary, stopped in every way that a process can end.

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
use sqlx::PgPool;
use uuid::Uuid;

use crate::{processes, until, within};

/// A worker process. Dropped, it is killed with its process group.
pub struct Worker {
    pub name: String,
    /// The id under which it claims jobs.
    pub id: Uuid,
    child: Child,
    log: PathBuf,
}

/// How a worker that did not stay ended.
#[derive(Debug, Clone)]
pub struct Exit {
    pub code: Option<i32>,
    /// What it complained of.
    pub stderr: String,
}

impl Exit {
    pub(crate) async fn of(variables: &[(String, String)], deadline: Duration) -> Result<Self> {
        let mut command = command(variables)?;
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let output = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .output();
        let output = within("the worker ends", deadline, output).await??;
        Ok(Self {
            code: output.status.code(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Worker {
    /// Starts one.
    pub(crate) fn spawn(folder: &Path, name: &str, variables: &[(String, String)]) -> Result<Self> {
        // A name per start, so that the row in the database is this process's.
        let name = format!("{name}-{}", &Uuid::now_v7().simple().to_string()[20..]);
        let log = folder.join(format!("{name}.log"));
        let mut command = command(variables)?;
        command.env("MILLRACE__WORKER__NAME", &name);
        let file = File::create(&log)?;
        command.stderr(file.try_clone()?).stdout(file);
        let child = command
            .spawn()
            .context("millrace-worker cannot be started")?;
        Ok(Self {
            name,
            id: Uuid::nil(),
            child,
            log,
        })
    }

    /// Waits until it has told the database of itself.
    ///
    /// # Errors
    /// That it ended, or did not within `deadline`.
    pub async fn at_work(&mut self, db: &PgPool, deadline: Duration) -> Result<()> {
        let Self {
            name, child, log, ..
        } = self;
        self.id = until(
            "the worker is known to the database",
            deadline,
            async || {
                if let Some(status) = child.try_wait()? {
                    anyhow::bail!(
                        "the worker ended: {status}\n{}",
                        std::fs::read_to_string(&*log)?
                    );
                }
                let id = sqlx::query_scalar("select id from queue.worker where name = $1");
                Ok(id.bind(&*name).fetch_optional(db).await?)
            },
        )
        .await?;
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// What it wrote.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, at once and to it alone: its encoders must end by themselves.
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
        Ok(kill(Pid::from_raw(self.pid()), Signal::SIGSTOP)?)
    }

    /// SIGCONT.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn thaw(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.pid()), Signal::SIGCONT)?)
    }

    /// SIGTERM: it drains.
    ///
    /// # Errors
    /// That it cannot be signalled.
    pub fn terminate(&self) -> Result<()> {
        Ok(kill(Pid::from_raw(self.pid()), Signal::SIGTERM)?)
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// That it does not within `deadline`.
    pub async fn ended(&mut self, deadline: Duration) -> Result<ExitStatus> {
        until("the worker ends", deadline, async || {
            Ok(self.child.try_wait()?)
        })
        .await
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.is_running() {
            let _it_may_be_gone = killpg(Pid::from_raw(self.pid()), Signal::SIGKILL);
            let _reaped = self.child.wait();
        }
    }
}

/// Kills a worker that a test left running, with its group, and waits until it is gone.
pub(crate) async fn kill_if_running(pid: i32) -> Result<()> {
    // The id of one that ended may be another's by now.
    let is_ours = || {
        processes::all()
            .iter()
            .any(|p| p.pid == pid && p.command.contains("millrace-worker"))
    };
    if is_ours() {
        let _it_may_be_gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
    }
    until("the worker is gone", Duration::from_secs(10), async || {
        Ok((!is_ours()).then_some(()))
    })
    .await
}

/// A command that runs the worker with these variables and nothing else of ours. It ends when the test's thread does.
pub(crate) fn command(variables: &[(String, String)]) -> Result<Command> {
    let binary = binary("millrace-worker")?;
    let setpriv = Path::new("/usr/bin/setpriv");
    let mut command = if cfg!(target_os = "linux") && setpriv.exists() {
        let mut command = Command::new(setpriv);
        command.args(["--pdeathsig", "KILL", "--"]).arg(binary);
        command
    } else {
        Command::new(binary)
    };
    command
        .env_clear()
        .envs(millrace_config::variable("PATH").map(|path| ("PATH", path)));
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command.process_group(0).stdin(Stdio::null());
    Ok(command)
}

/// A binary of this workspace, which lies beside the test's own folder.
pub(crate) fn binary(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own
        .parent()
        .and_then(Path::parent)
        .context("the test lies in no target folder")?;
    let path = folder.join(name);
    anyhow::ensure!(
        path.exists(),
        "{} is missing: build it first, with `cargo build --workspace`",
        path.display()
    );
    Ok(path)
}
