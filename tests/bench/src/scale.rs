//! `scale_4_workers`: whether more workers do more, on jobs that wait rather than compute.

use anyhow::Result;
use serde_json::json;

use crate::{
    Bench,
    contest::{Figure, take_turns},
    drain, fixture,
    kinds::Pause,
    worker::PAUSE,
};

pub(crate) const IDS: [&str; 1] = ["scale_4_workers"];

/// Jobs a worker.
const JOBS: u64 = 40_000;
const SLOTS: usize = 50;

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let db = fixture::engine(&bench.cluster).await?;
    let jobs = bench.wishes.scaled(JOBS);
    let results = take_turns(bench.wishes.runs, [1, 4], async |workers: u8| {
        let jobs = jobs * u64::from(workers);
        fixture::fill::<Pause>(&db, jobs).await?;
        drain::ours(&bench.cluster, &db, workers.into(), SLOTS, jobs).await
    })
    .await;
    let settings = json!({
        "unit": "jobs/s", "jobs_per_worker": jobs, "slots": SLOTS, "wait_ms": PAUSE.as_millis() as u64,
        "base": "1 worker",
    });
    Ok(vec![results.figure("scale_4_workers", 4, 1, settings)])
}
