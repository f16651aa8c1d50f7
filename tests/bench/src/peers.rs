//! Graphile Worker and apalis-postgres, each at the settings that are its best. Their programs are in `peers`, with lock
//! files of their own; they are installed and built when first needed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tokio::{process::Command, sync::OnceCell};

use crate::{
    cluster::{Cluster, Database},
    contest::Sample,
    fixture,
    machine::{Watch, quiet},
    program::Program,
};

/// How a peer's process ended: the times of its first handler and of its end in seconds since 1970, and the jobs that
/// its table still shows as not done.
#[derive(Debug, Deserialize)]
struct Drained {
    first: f64,
    stopped: f64,
    jobs: u64,
    left: u64,
}

pub(crate) struct Graphile;
pub(crate) struct Apalis;

impl Graphile {
    /// One or more processes, as its own performance test runs them: 24 jobs at a time, a local queue of 500, and
    /// completions flushed without delay.
    pub(crate) async fn drain(cluster: &Cluster, processes: usize, jobs: u64) -> Result<Sample> {
        static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
        let program = PROGRAM.get_or_try_init(install_graphile).await?;
        let db = cluster
            .database_made_by("graphile", async |_| Ok(()))
            .await?;
        let command = |what: &str| {
            let mut command = Command::new("node");
            // Else it logs a line a job; its performance test sets this too.
            command.env("NO_LOG_SUCCESS", "1").arg(program).args([
                what,
                &db.url,
                &jobs.to_string(),
            ]);
            command
        };
        drain(
            cluster,
            &db,
            "graphile_worker._private_jobs",
            processes,
            jobs,
            command,
        )
        .await
    }
}

impl Apalis {
    /// One process, batches of 1,000 and no lock per job.
    pub(crate) async fn drain(cluster: &Cluster, jobs: u64) -> Result<Sample> {
        static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
        let program = PROGRAM.get_or_try_init(build_apalis).await?;
        let db = cluster.database_made_by("apalis", async |_| Ok(())).await?;
        let command = |what: &str| {
            let mut command = Command::new(program);
            command.args([what, &db.url, &jobs.to_string()]);
            command
        };
        drain(cluster, &db, "apalis.jobs", 1, jobs, command).await
    }
}

async fn drain(
    cluster: &Cluster,
    db: &Database,
    table: &str,
    processes: usize,
    jobs: u64,
    command: impl Fn(&str) -> Command,
) -> Result<Sample> {
    let filled = command("fill").status().await?;
    anyhow::ensure!(filled.success(), "filling {table}: {filled}");
    fixture::settle(db, table).await?;
    let mut programs = Vec::new();
    for _ in 0..processes {
        programs.push(Program::start(table, command("drain"))?);
    }
    for program in &mut programs {
        program.ready().await?;
    }
    quiet().await;
    let watch = Watch::start(cluster.pid()?);
    for program in &mut programs {
        program.go().await?;
    }
    let mut ends = Vec::new();
    for program in programs {
        ends.push(program.answer::<Drained>().await?);
    }
    let usage = watch.stop();
    let done: u64 = ends.iter().map(|end| end.jobs).sum();
    let left = ends.last().context("nobody ran")?.left;
    anyhow::ensure!(
        done == jobs && left == 0,
        "{done} of {jobs} jobs were run, {left} are left in {table}"
    );
    let first = ends
        .iter()
        .map(|end| end.first)
        .fold(f64::INFINITY, f64::min);
    let stopped = ends.iter().map(|end| end.stopped).fold(0.0, f64::max);
    Ok(Sample {
        value: jobs as f64 / (stopped - first),
        usage,
        ..Sample::default()
    })
}

fn folder(peer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(peer)
}

async fn install_graphile() -> Result<PathBuf> {
    let folder = folder("graphile");
    if !folder.join("node_modules/.package-lock.json").exists() {
        eprintln!("  installing Graphile Worker");
        let mut command = Command::new("npm");
        command
            .args(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
            .current_dir(&folder);
        succeed(command).await?;
    }
    Ok(folder.join("peer.mjs"))
}

async fn build_apalis() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program
        .parent()
        .and_then(Path::parent)
        .context("the program is not in a target folder")?;
    let target = target.join("bench-peers");
    eprintln!("  building the program of apalis-postgres");
    let mut command = Command::new("cargo");
    command
        .args(["build", "--release", "--locked", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(folder("apalis"));
    succeed(command).await?;
    Ok(target.join("release/apalis-peer"))
}

async fn succeed(mut command: Command) -> Result<()> {
    // Standard output is for figures alone.
    let status = command
        .stdout(std::process::Stdio::null())
        .status()
        .await
        .with_context(|| format!("{command:?}"))?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
