//! Commands of the command line against a stack, as an operator types them.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Result;
use tokio::process::{Child, Command};

use crate::{Machines, Stack, program::binary, within};

/// How long a command may take.
const WITHIN: Duration = Duration::from_secs(60);

/// What a command said, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    /// Its lines on standard output that begin with `word`.
    pub fn lines(&self, word: &str) -> Vec<&str> {
        let begins = |line: &&str| line.starts_with(word);
        self.stdout.lines().filter(begins).collect()
    }
}

impl Stack {
    /// Runs a binary of the workspace with the stack's settings and returns what it wrote on standard output.
    ///
    /// # Errors
    /// That it failed, with what it complained of.
    pub async fn command(&self, name: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let said = self.try_command(name, arguments).await?;
        anyhow::ensure!(
            said.code == Some(0),
            "{name} {arguments:?}: {}",
            said.stderr
        );
        Ok(said.stdout.into_bytes())
    }

    /// The same, whether it fails or not.
    ///
    /// # Errors
    /// That it cannot be started, or does not end in time.
    pub async fn try_command(&self, name: &str, arguments: &[&str]) -> Result<Said> {
        let child = self.start_command(name, arguments)?;
        let output = within("the command ends", WITHIN, child.wait_with_output()).await??;
        Ok(Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Starts a binary of the workspace with the stack's settings. Dropped, it is killed.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn start_command(&self, name: &str, arguments: &[&str]) -> Result<Child> {
        start(name, arguments, self.variables(&[]), self.folder())
    }
}

impl Machines {
    /// Runs a binary of the workspace with the machines' settings and returns what it wrote on standard output.
    ///
    /// # Errors
    /// That it failed, with what it complained of.
    pub async fn command(&self, name: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let child = start(name, arguments, self.variables(), self.folder())?;
        let output = within("the command ends", WITHIN, child.wait_with_output()).await??;
        anyhow::ensure!(
            output.status.success(),
            "{name} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output.stdout)
    }
}

fn start(
    name: &str,
    arguments: &[&str],
    variables: Vec<(String, String)>,
    folder: &Path,
) -> Result<Child> {
    let mut command = Command::new(binary(name)?);
    command
        .args(arguments)
        .env_clear()
        .envs(millrace_config::variable("PATH").map(|path| ("PATH", path)))
        .envs(variables)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Ok(command.spawn()?)
}
