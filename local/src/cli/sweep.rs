//! `sweep`: what nothing needs any more.

use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use millrace_config::Config;
use millrace_domain::{
    storage::Storage,
    sweeps::{Sweep as Record, Tally},
};
use millrace_jobs::{database_options, orphans, storage_options};
use sqlx::postgres::PgPoolOptions;
use uuid::Uuid;

/// What to sweep.
#[derive(Debug, Subcommand)]
pub(super) enum Sweep {
    /// Delete objects of the store that no row names. Workers do it every day.
    Orphans {
        /// Only say what would be deleted.
        #[arg(long)]
        dry_run: bool,
        /// Leave younger objects alone.
        #[arg(long, default_value = "24h", value_parser = humantime::parse_duration)]
        older_than: Duration,
        /// Answer in JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs a sweep in this process: it needs no worker.
pub(super) async fn run(config: &Config, sweep: Sweep) -> anyhow::Result<()> {
    let Sweep::Orphans {
        dry_run,
        older_than,
        json,
    } = sweep;
    config
        .require_services()
        .context("no stack runs in the data directory, and none is configured")?;
    let (options, _) = database_options(config).context("database.url is not an address")?;
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options)
        .await
        .context("the database cannot be reached")?;
    let storage = Storage::new(&storage_options(config));
    let mut conn = pool.acquire().await?;
    let mut record = Record::begin(&mut conn, Uuid::now_v7(), dry_run, older_than).await?;
    drop(conn);
    while orphans::step(&pool, &storage, &mut record).await? {
        record.save(&pool).await?;
    }
    record.save(&pool).await?;
    record.finish(&pool).await?;
    pool.close().await;
    if json {
        println!("{}", serde_json::to_string(&record)?);
    } else {
        print(&record);
    }
    Ok(())
}

fn print(record: &Record) {
    println!("looked at  {}", words(record.seen));
    println!("orphans    {}", words(record.orphans));
    for (prefix, tally) in &record.by_prefix {
        println!("  {prefix:<8} {}", words(*tally));
    }
    println!(
        "doomed     {} prefixes that were not deleted in time",
        record.doomed
    );
    if record.dry_run {
        println!("Nothing was deleted: this was a dry run.");
    } else {
        println!("deleted    {}", words(record.deleted));
    }
}

fn words(tally: Tally) -> String {
    format!(
        "{} objects, {}",
        tally.objects,
        indicatif::HumanBytes(tally.bytes)
    )
}
