//! Everything that happens to machines while videos are made: processes killed and frozen, the database crashed, wires
//! cut. Whatever it was, in the end every video is ready, once, and nothing is left over.
//!
//! The seed is printed; MILLRACE_SEED gives it. MILLRACE_POINTS says how many interruptions there are (`make soak`).

/// What must be true in the end.
mod audit;
/// People who go on whatever happens.
mod clients;
/// A run that is interrupted.
mod ordeal;

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::Machines;

use ordeal::{Blow, Ordeal};

/// Interruptions of a run in CI: with the pauses between them about half a minute.
const POINTS: usize = 25;
/// How long a worker that is silent keeps its jobs.
const LEASE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_every_video_is_made_once_and_nothing_is_left() -> Result<()> {
    let machines = Machines::with()
        .set("worker.lease", "3s")
        .set("worker.heartbeat", "500ms")
        .set("worker.poll", "500ms")
        .set("uploads.single_put_limit", 20 * 1024 * 1024)
        .start()
        .await?;
    Ordeal::new(machines, points()?, seed()?)
        .of(&[
            (Blow::KillWorker, 12),
            (Blow::KillApi, 5),
            (Blow::KillStore, 5),
            (Blow::FreezeWorker, 2),
            (Blow::CrashDatabase, 1),
        ])
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_on_the_wire_every_video_is_made_once_and_nothing_is_left() -> Result<()> {
    let machines = Machines::with()
        .proxied()
        .set("worker.lease", "3s")
        .set("worker.heartbeat", "500ms")
        .set("worker.poll", "500ms")
        .set("uploads.single_put_limit", 20 * 1024 * 1024)
        .start()
        .await?;
    Ordeal::new(machines, points()?, seed()?)
        .of(&[
            (Blow::LoseCommit, 8),
            (Blow::LosePut, 5),
            (Blow::CutDatabase, 4),
            (Blow::CutStore, 4),
            (Blow::SilenceDatabase, 1),
            (Blow::SilenceStore, 1),
            (Blow::SlowWires, 2),
        ])
        .run()
        .await
}

fn points() -> Result<usize> {
    match millrace_config::variable("MILLRACE_POINTS") {
        Some(points) => points.parse().context("MILLRACE_POINTS is no number"),
        None => Ok(POINTS),
    }
}

fn seed() -> Result<u64> {
    match millrace_config::variable("MILLRACE_SEED") {
        Some(seed) => seed.parse().context("MILLRACE_SEED is no number"),
        None => Ok(rand::random()),
    }
}
