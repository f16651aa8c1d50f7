//! Worker processes.

use std::{
    ops::{Deref, DerefMut},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::Result;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    processes,
    program::{Program, command},
    until, within,
};

/// A worker process. Dropped, it is killed with its process group.
pub struct Worker {
    pub name: String,
    /// The id under which it claims jobs.
    pub id: Uuid,
    program: Program,
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
        let mut command = command("millrace-worker", &[], variables)?;
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
    /// Starts one by `before`, words such as `taskset -c 0`.
    pub(crate) fn spawn(
        folder: &Path,
        name: &str,
        before: &[&str],
        variables: &[(String, String)],
    ) -> Result<Self> {
        // A name per start, so that the row in the database is this process's.
        let name = format!("{name}-{}", &Uuid::now_v7().simple().to_string()[20..]);
        let mut command = command("millrace-worker", before, variables)?;
        command.env("MILLRACE__WORKER__NAME", &name);
        let program = Program::spawn(command, &folder.join(format!("{name}.log")))?;
        Ok(Self {
            name,
            id: Uuid::nil(),
            program,
        })
    }

    /// Waits until it has told the database of itself.
    ///
    /// # Errors
    /// That it ended, or did not within `deadline`.
    pub async fn at_work(&mut self, db: &PgPool, deadline: Duration) -> Result<()> {
        let Self { name, program, .. } = self;
        self.id = until(
            "the worker is known to the database",
            deadline,
            async || {
                if let Some(status) = program.status()? {
                    anyhow::bail!("the worker ended: {status}\n{}", program.log());
                }
                let id = sqlx::query_scalar("select id from queue.worker where name = $1");
                Ok(id.bind(&*name).fetch_optional(db).await?)
            },
        )
        .await?;
        Ok(())
    }
}

impl Deref for Worker {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

impl DerefMut for Worker {
    fn deref_mut(&mut self) -> &mut Program {
        &mut self.program
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
