//! `with_postgres -- COMMAND…`: runs a command against a PostgreSQL cluster that exists for it alone.
//!
//! The command finds the cluster in DATABASE_URL; tests make databases of their own in it. The cluster ends with the
//! command, and also when this process is told to stop or is killed. SQLX_OFFLINE is set: the cluster has no tables
//! that statements could be checked against while the command compiles.

use std::{
    os::unix::fs::PermissionsExt as _, os::unix::process::ExitStatusExt as _, process::ExitCode,
};

use anyhow::{Context as _, Result};
use millrace_local::postgres::{Postgres, PostgresOptions};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    process::Command,
    signal::unix::{SignalKind, signal},
};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with_postgres: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    let mut words = std::env::args_os().skip(1).skip_while(|word| word == "--");
    let program = words
        .next()
        .context("usage: with_postgres -- COMMAND [ARGUMENTS]")?;
    // Listened to before anything is started, so that nothing is left behind by an early signal.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let folder = tempfile::Builder::new().prefix("millrace-pg-").tempdir()?;
    // As root, the cluster runs as another user, who must get through to it.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    // Nothing here outlives the command: safety against power cuts would only cost time.
    let settings = [
        ("fsync", "off"),
        ("full_page_writes", "off"),
        ("synchronous_commit", "off"),
        ("max_connections", "300"),
    ];
    let options = PostgresOptions {
        data_dir: folder.path().into(),
        bin_dir: millrace_config::variable("MILLRACE_PG_BIN").map(Into::into),
        settings: settings
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    };
    let postgres = Postgres::start(options).await?;

    let mut command = Command::new(&program);
    command
        .args(words)
        .env("DATABASE_URL", postgres.url("postgres"))
        .env("SQLX_OFFLINE", "true");
    let ended = async {
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.to_string_lossy()))?;
        let pid = child.id().map(|id| Pid::from_raw(id.cast_signed()));
        loop {
            tokio::select! {
                status = child.wait() => return Ok(status?),
                how = postgres.ended() => {
                    child.start_kill()?;
                    anyhow::bail!("the cluster ended: {how}; its log was {}", postgres.log().display());
                }
                // A terminal tells the whole group; the command decides when it is done.
                _ = interrupt.recv() => {}
                _ = terminate.recv() => if let Some(pid) = pid {
                    kill(pid, Signal::SIGTERM)?;
                },
            }
        }
    }
    .await;
    postgres.stop().await;
    let status = ended?;
    // As a shell says it.
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    Ok(u8::try_from(code).unwrap_or(u8::MAX))
}
