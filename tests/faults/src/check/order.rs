//! I8: runs of one serial key never overlap, and a job never begins before its parents have ended.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Case, Findings};
use crate::record::Fact;

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    serial(case, found);
    let ended: HashMap<Uuid, i64> = case
        .evidence
        .endings
        .iter()
        .map(|ending| (ending.job, ending.at))
        .collect();
    for (job, changes) in &case.changes {
        let parents = case.intents.get(job).map_or(&[][..], |i| &i.parents);
        let claim = changes
            .iter()
            .find(|change| change.old_token.is_none() && change.new_token.is_some());
        let Some(claim) = claim else { continue };
        for parent in parents {
            if ended.get(parent).is_none_or(|&at| at > claim.at) {
                found.add(
                    "I8",
                    *job,
                    format!("began before its parent {parent} had ended"),
                );
            }
        }
    }
}

fn serial(case: &Case<'_>, found: &mut Findings) {
    let mut ends: HashMap<(Uuid, Uuid), i64> = HashMap::new();
    for record in &case.evidence.records {
        if let Fact::Ended { job, token, .. } = record.fact {
            // The first word: work is over before its commit, which frees the next.
            ends.entry((job, token)).or_insert(record.at);
        }
    }
    let mut spans: HashMap<&str, Vec<(i64, i64, Uuid)>> = HashMap::new();
    for record in &case.evidence.records {
        if let Fact::Started {
            job,
            token,
            serial: Some(word),
            ..
        } = &record.fact
        {
            // A run without an end was killed; when, only its next run tells. One that lost its lease while it was frozen
            // does not know it yet, and is not waited for.
            let until = ends.get(&(*job, *token)).copied().unwrap_or(record.at);
            let until = lost_at(case, *job, *token).map_or(until, |lost| lost.min(until));
            // Frozen between its claim and its first step, it has begun without a lease and is stopped at once, which I5
            // looks after.
            if until < record.at {
                continue;
            }
            let spans = spans.entry(word).or_default();
            spans.push((record.at, until, *job));
        }
    }
    for (word, mut spans) in spans {
        spans.sort_unstable();
        for pair in spans.windows(2) {
            // Two runs of one job are the business of its lease.
            if pair[0].2 != pair[1].2 && pair[1].0 < pair[0].1 {
                found.add(
                    "I8",
                    pair[1].2,
                    format!("ran beside {} of {word}", pair[0].2),
                );
            }
        }
    }
}

/// When a run's lease was taken from it.
fn lost_at(case: &Case<'_>, job: Uuid, token: Uuid) -> Option<i64> {
    let changes = case.changes.get(&job)?;
    let lost = changes.iter().find(|change| {
        change.old_token == Some(token)
            && change.new_token != Some(token)
            && change.new_state.as_deref() == Some("available")
    });
    lost.map(|change| change.at)
}
