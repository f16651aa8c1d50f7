//! I7: from the crash of a worker until its jobs may be claimed again. How long they then wait for a free place is a
//! question of load and no violation, but part of the figure that is reported.

use std::time::Duration;

use super::{Case, Findings, Terms, micros};
use crate::evidence::Evidence;

/// How long each job waited that a kill had interrupted.
pub fn recoveries(evidence: &Evidence, terms: Terms) -> Vec<Duration> {
    let case = Case::new(evidence, terms);
    measure(&case)
        .into_iter()
        .map(|wait| Duration::from_micros(u64::try_from(wait.took).unwrap_or(0)))
        .collect()
}

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    for wait in measure(case) {
        // Whatever else went wrong meanwhile has a share in it: only kills leave nothing but the engine.
        let alone = case.harms.iter().all(|harm| {
            matches!(harm.what, "kill" | "died")
                || harm.until < wait.from
                || harm.from > wait.from + wait.free
        });
        if alone && wait.free > micros(case.terms.recover_within) {
            let what = format!("was free {} ms after a crash", wait.free / 1000);
            found.add("I7", wait.job, what);
        }
    }
}

struct Wait {
    job: uuid::Uuid,
    from: i64,
    /// Until it might be claimed.
    free: i64,
    /// Until it was.
    took: i64,
}

fn measure(case: &Case<'_>) -> Vec<Wait> {
    let mut waits = Vec::new();
    for (job, changes) in &case.changes {
        let claims: Vec<_> = changes
            .iter()
            .filter(|change| change.old_token.is_none() && change.new_token.is_some())
            .collect();
        for pair in claims.windows(2) {
            let (held, next) = (pair[0], pair[1]);
            // The last word on the first claim was a rescue.
            let rescue = changes.iter().rev().find(|change| {
                change.at <= next.at
                    && change.old_token == held.new_token
                    && change.new_token.is_none()
            });
            let Some(rescue) = rescue.filter(|r| r.new_crashes > r.old_crashes) else {
                continue;
            };
            let kill = case.harms.iter().find(|harm| {
                matches!(harm.what, "kill" | "died")
                    && harm.to == held.who.as_deref()
                    && (held.at..next.at).contains(&harm.from)
            });
            if let Some(kill) = kill {
                waits.push(Wait {
                    job: *job,
                    from: kill.from,
                    free: rescue.at - kill.from,
                    took: next.at - kill.from,
                });
            }
        }
    }
    waits
}
