//! `complete_in_tx`: jobs that commit their effect together with their completion, beside plain SQL doing the same.

use anyhow::Result;
use serde_json::json;

use crate::{
    Bench,
    contest::{Figure, take_turns},
    drain, fixture, floor,
    kinds::Effect,
};

pub(crate) const IDS: [&str; 1] = ["complete_in_tx"];

const JOBS: u64 = 40_000;
/// Transactions at the same time.
const CONNECTIONS: u32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours,
    Plain,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let cluster = &bench.cluster;
    let db = fixture::engine(cluster).await?;
    let jobs = bench.wishes.scaled(JOBS);
    let connections = CONNECTIONS as usize;
    let results = take_turns(bench.wishes.runs, [Who::Ours, Who::Plain], async |who| {
        if who == Who::Plain {
            return floor::measure_effect(cluster, connections, jobs).await;
        }
        fixture::fill::<Effect>(&db, jobs).await?;
        // Twice as many places as connections, so that nobody who has a connection waits for a claim.
        let sample = drain::ours_with(cluster, &db, 1, 2 * connections, jobs, CONNECTIONS).await?;
        let effects: i64 = sqlx::query_scalar("select count(*) from bench.effect")
            .fetch_one(&mut db.conn().await?)
            .await?;
        anyhow::ensure!(
            u64::try_from(effects)? == jobs,
            "{effects} effects of {jobs} jobs"
        );
        Ok(sample)
    })
    .await;
    let settings = json!({
        "unit": "jobs/s", "jobs": jobs, "connections": connections,
        "base": "claimed in batches of 500, completed one by one: begin, update, insert, commit",
    });
    Ok(vec![results.figure(
        "complete_in_tx",
        Who::Ours,
        Who::Plain,
        settings,
    )])
}
