//! I1: every accepted enqueue reaches exactly one terminal state, and the one it must; whoever promised a job for its
//! failure gets it once. I2: no job without an enqueue.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Case, Findings};
use crate::record::{Expected, Fact};

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    let evidence = case.evidence;
    let mut ends: HashMap<Uuid, Vec<&str>> = HashMap::new();
    let mut mourners: HashMap<Uuid, usize> = HashMap::new();
    for row in &evidence.finished {
        ends.entry(row.job).or_default().push(&row.state);
        if let Some(dead) = row.failure_of {
            *mourners.entry(dead).or_default() += 1;
        }
    }
    let live: HashMap<Uuid, &str> = evidence
        .live
        .iter()
        .map(|row| (row.job, row.state.as_str()))
        .collect();

    let accepted: HashSet<Uuid> = evidence
        .records
        .iter()
        .filter_map(|record| match record.fact {
            Fact::Accepted { holder, .. } => Some(holder),
            _ => None,
        })
        .collect();
    for &job in &accepted {
        match (ends.get(&job).map_or(0, Vec::len), live.get(&job)) {
            (1, None) => {}
            (0, None) => found.add("I1", job, "was accepted and is lost"),
            (0, Some(state)) => found.add("I1", job, format!("never ended; it is {state}")),
            (n, live) => found.add("I1", job, format!("ended {n} times; live: {live:?}")),
        }
    }
    for (job, intent) in &case.intents {
        let Some([state]) = ends.get(job).map(Vec::as_slice) else {
            continue;
        };
        let expected = match intent.expected {
            Expected::Completed => "completed",
            Expected::Discarded => "discarded",
            Expected::Cancelled => "cancelled",
            Expected::Quarantined => "quarantined",
            Expected::Any => state,
        };
        if *state != expected {
            let what = format!("a {} ended {state}, not {expected}", intent.kind);
            found.add("I1", *job, what);
        }
        let promised = usize::from(intent.on_failure && *state != "completed");
        let came = mourners.get(job).copied().unwrap_or(0);
        if came != promised {
            let what = format!("its on_failure was inserted {came} times, not {promised}");
            found.add("I1", *job, what);
        }
    }
    for row in evidence.live.iter().chain(&evidence.finished) {
        let wanted = case.intents.contains_key(&row.job)
            || row.failure_of.is_some_and(|dead| ends.contains_key(&dead));
        if !wanted {
            found.add("I2", row.job, format!("nobody enqueued this {}", row.kind));
        }
    }
}
