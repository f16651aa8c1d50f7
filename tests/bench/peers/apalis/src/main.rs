//! apalis-postgres under measurement: `apalis-peer fill|drain URL JOBS`. tests/bench/README.md says what for.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use apalis::prelude::*;
use apalis_postgres::{Config, PgPool, PostgresStorage};
use serde::{Deserialize, Serialize};
use sqlx::postgres::PgPoolOptions;

const PACK: u64 = 1_000;
/// Its best of 10, 100, 500 and 1,000, without the row lock per job.
const BATCH: usize = 1_000;

static RAN: AtomicU64 = AtomicU64::new(0);
static JOBS: AtomicU64 = AtomicU64::new(u64::MAX);
/// Microseconds since 1970.
static FIRST: AtomicU64 = AtomicU64::new(u64::MAX);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Noop {
    id: u64,
}

async fn noop(_job: Noop, worker: WorkerContext) -> Result<(), BoxDynError> {
    FIRST.fetch_min(now(), Ordering::Relaxed);
    if RAN.fetch_add(1, Ordering::Relaxed) + 1 == JOBS.load(Ordering::Relaxed) {
        worker.stop()?;
    }
    Ok(())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [part, url, jobs] = words.as_slice() else {
        anyhow::bail!("fill|drain URL JOBS");
    };
    let jobs = jobs.parse()?;
    let pool = PgPoolOptions::new()
        .max_connections(20)
        .connect(url)
        .await?;
    let config = Config::default()
        .queue("bench")
        .batch_size(BATCH)
        .lock_tasks(false);
    let mut storage = PostgresStorage::<Noop>::new(&pool).with_config(config);
    if part == "fill" {
        PostgresStorage::setup(&pool).await?;
        sqlx::query("truncate apalis.jobs").execute(&pool).await?;
        for from in (0..jobs).step_by(PACK as usize) {
            let pack = (from..jobs.min(from + PACK)).map(|id| Noop { id });
            storage.push_bulk(pack.collect()).await?;
        }
        return Ok(());
    }
    JOBS.store(jobs, Ordering::Relaxed);
    println!("ready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    WorkerBuilder::new("bench")
        .backend(storage)
        .build(noop)
        .run()
        .await?;
    let stopped = now();
    // The last acknowledgements are still on their way.
    let mut left = not_done(&pool).await?;
    for _ in 0..100 {
        if left == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        left = not_done(&pool).await?;
    }
    let said = serde_json::json!({
        "first": FIRST.load(Ordering::Relaxed) as f64 / 1e6, "stopped": stopped as f64 / 1e6,
        "jobs": RAN.load(Ordering::Relaxed), "left": left,
    });
    println!("{said}");
    Ok(())
}

async fn not_done(pool: &PgPool) -> Result<i64> {
    sqlx::query_scalar("select count(*) from apalis.jobs where status <> 'Done'")
        .fetch_one(pool)
        .await
        .context("counting what is left")
}
