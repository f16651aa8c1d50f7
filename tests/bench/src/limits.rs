//! `limits_1000_keys`: the drain of jobs of 1,000 keys that take turns and are limited, beside the same jobs without keys.

use anyhow::Result;
use serde_json::json;

use crate::{
    Bench,
    contest::{Figure, take_turns},
    drain, fixture,
    kinds::{AT_ONCE, Noop},
};

pub(crate) const IDS: [&str; 1] = ["limits_1000_keys"];

const JOBS: u64 = 200_000;
const KEYS: i64 = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Limits {
    On,
    Off,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let db = fixture::engine(&bench.cluster).await?;
    let jobs = bench.wishes.scaled(JOBS);
    let results = take_turns(
        bench.wishes.runs,
        [Limits::On, Limits::Off],
        async |limits| {
            let keys = (limits == Limits::On).then_some(KEYS);
            fixture::fill_with_keys::<Noop>(&db, jobs, keys).await?;
            drain::ours(&bench.cluster, &db, 1, drain::SLOTS, jobs).await
        },
    )
    .await;
    let settings = json!({
        "unit": "jobs/s", "jobs": jobs, "keys": KEYS, "at_once_per_key": AT_ONCE, "slots": drain::SLOTS,
        "base": "the same jobs without keys",
    });
    Ok(vec![results.figure(
        IDS[0],
        Limits::On,
        Limits::Off,
        settings,
    )])
}
