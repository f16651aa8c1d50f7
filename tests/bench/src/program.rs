//! A program that is measured, in a process of its own. It says `ready`, waits for `go`, and then speaks in lines of JSON;
//! what else it prints is ignored.

use std::{process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(600);

pub(crate) struct Program {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// A part of this program.
    pub(crate) fn own(part: &str, spec: &impl Serialize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(part).arg(serde_json::to_string(spec)?);
        Self::start(part, command)
    }

    pub(crate) fn start(name: &str, mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let stdout = child.stdout.take().context("no output")?;
        Ok(Self {
            name: name.to_owned(),
            stdin: child.stdin.take(),
            child,
            lines: BufReader::new(stdout).lines(),
        })
    }

    pub(crate) fn pid(&self) -> Result<i32> {
        Ok(i32::try_from(self.child.id().context("it has ended")?)?)
    }

    /// Waits until it could begin.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        while let Some(line) = self.line().await? {
            if line == "ready" {
                return Ok(());
            }
        }
        anyhow::bail!("{} ended before it was ready", self.name)
    }

    /// Lets it begin.
    pub(crate) async fn go(&mut self) -> Result<()> {
        let stdin = self.stdin.as_mut().context("it was told to end")?;
        stdin.write_all(b"go\n").await?;
        Ok(stdin.flush().await?)
    }

    /// The next thing it says; nothing when it has ended.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>> {
        while let Some(line) = self.line().await? {
            if line.starts_with('{') {
                let said = serde_json::from_str(&line)
                    .with_context(|| format!("{}: {line}", self.name))?;
                return Ok(Some(said));
            }
        }
        Ok(None)
    }

    /// The one thing it says, and its end.
    pub(crate) async fn answer<T: DeserializeOwned>(mut self) -> Result<T> {
        let said = self
            .next()
            .await?
            .with_context(|| format!("{} said nothing", self.name))?;
        self.end().await?;
        Ok(said)
    }

    /// Tells it to end.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end; what it still says is lost.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.hang_up();
        while self.line().await?.is_some() {}
        let status = self.child.wait().await?;
        anyhow::ensure!(status.success(), "{}: {status}", self.name);
        Ok(())
    }

    async fn line(&mut self) -> Result<Option<String>> {
        let line = timeout(PATIENCE, self.lines.next_line()).await;
        Ok(line.with_context(|| format!("{} hangs", self.name))??)
    }
}

/// The other side: says `ready` and waits for `go`.
pub(crate) async fn ready() -> Result<Lines<BufReader<tokio::io::Stdin>>> {
    say_line("ready")?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    lines.next_line().await?.context("nobody said go")?;
    Ok(lines)
}

/// Says one thing.
pub(crate) fn say(what: &impl Serialize) -> Result<()> {
    say_line(&serde_json::to_string(what)?)
}

fn say_line(line: &str) -> Result<()> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
