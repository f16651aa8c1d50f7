//! Commands of the command line, run to their end against a stack.

use std::{process::Stdio, time::Duration};

use anyhow::Result;
use tokio::process::Command;

use crate::{Stack, within, worker::binary};

impl Stack {
    /// Runs a binary of the workspace with the stack's settings and returns what it wrote on standard output.
    ///
    /// # Errors
    /// That it failed, with what it complained of.
    pub async fn command(&self, name: &str, arguments: &[&str]) -> Result<Vec<u8>> {
        let output = Command::new(binary(name)?)
            .args(arguments)
            .env_clear()
            .envs(millrace_config::variable("PATH").map(|path| ("PATH", path)))
            .envs(self.variables(&[]))
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = within("the command ends", Duration::from_secs(60), output).await??;
        anyhow::ensure!(
            output.status.success(),
            "{name} {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(output.stdout)
    }
}
