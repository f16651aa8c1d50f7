//! I3: one ledger row per key if the job is done, and none if it is not; one job at a time per unique key.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Case, Findings};
use crate::evidence::Entry;

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    let evidence = case.evidence;
    let count = |entries: &[Entry]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for entry in entries {
            *counts.entry(entry.key.clone()).or_default() += 1;
        }
        counts
    };
    let (ledger, once) = (count(&evidence.ledger), count(&evidence.once));
    let states: HashMap<Uuid, &str> = evidence
        .finished
        .iter()
        .map(|row| (row.job, row.state.as_str()))
        .collect();
    for (job, intent) in &case.intents {
        let Some(key) = &intent.effect else { continue };
        let done = states.get(job) == Some(&"completed");
        let (times, wrong): (usize, fn(usize, bool) -> bool) = match intent.kind.as_str() {
            // Its effect may have happened although its answer never came.
            "plain" => (once.get(key).copied().unwrap_or(0), |n, done| {
                n > 1 || (done && n == 0)
            }),
            _ => (ledger.get(key).copied().unwrap_or(0), |n, done| {
                n != usize::from(done)
            }),
        };
        if wrong(times, done) {
            let what = format!("its effect happened {times} times; done: {done}");
            found.add("I3", *job, what);
        }
    }
    unique_keys(case, found);
}

/// Of the jobs of one key, none may begin to exist before the one before it has ended; of a key that is held for a
/// period (`p:`), there is one in all.
fn unique_keys(case: &Case<'_>, found: &mut Findings) {
    /// From the insert to the end of one job, in the order in which the database did it.
    type Life = (usize, usize, Uuid);
    let mut lives: HashMap<&str, HashMap<Uuid, (usize, usize)>> = HashMap::new();
    for (n, change) in case.evidence.changes.iter().enumerate() {
        let intent = case.intents.get(&change.job);
        let Some(key) = intent.and_then(|intent| intent.unique.as_deref()) else {
            continue;
        };
        let life = lives.entry(key).or_default().entry(change.job);
        let life = life.or_insert((n, usize::MAX));
        if change.new_state.is_none() {
            life.1 = n;
        }
    }
    for (key, jobs) in lives {
        let mut jobs: Vec<Life> = jobs.into_iter().map(|(job, (a, b))| (a, b, job)).collect();
        jobs.sort_unstable();
        for pair in jobs.windows(2) {
            if key.starts_with("p:") || pair[1].0 < pair[0].1 {
                let what = format!("holds the key {key} beside {}", pair[0].2);
                found.add("I3", pair[1].2, what);
            }
        }
    }
}
