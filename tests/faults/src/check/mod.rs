//! The offline checker: what the invariants make of the evidence.
//!
//! I9 (what clients of the relay see) is not the engine's and is tested with the relay.

/// I4: what is charged to a job.
mod charges;
/// I3: effects, and unique keys.
mod effects;
/// I1 and I2: every job ends once, and none comes from nowhere.
mod ends;
/// I10: nothing is left behind.
mod healed;
/// I5 and I6: who may write.
mod leases;
/// I8: what comes after what.
mod order;
/// I7: how long a crash holds a job up.
mod recovery;

use std::{collections::HashMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    evidence::{Change, Evidence},
    record::{Fact, Intent, WATCH},
};

pub use recovery::recoveries;

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Such as I3.
    pub invariant: String,
    pub job: Option<Uuid>,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.what)?;
        match self.job {
            Some(job) => write!(f, " (job {job})"),
            None => Ok(()),
        }
    }
}

/// What the trial was run with.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub lease: Duration,
    /// The longest time from a crash to the next claim of its jobs.
    pub recover_within: Duration,
    /// Sessions that a worker may have open.
    pub sessions: i64,
}

/// Checks everything.
pub fn check(evidence: &Evidence, terms: Terms) -> Vec<Violation> {
    let case = Case::new(evidence, terms);
    let mut found = Findings::default();
    ends::check(&case, &mut found);
    effects::check(&case, &mut found);
    charges::check(&case, &mut found);
    leases::check(&case, &mut found);
    order::check(&case, &mut found);
    recovery::check(&case, &mut found);
    healed::check(&case, &mut found);
    found.0
}

/// What was found so far.
#[derive(Debug, Default)]
struct Findings(Vec<Violation>);

impl Findings {
    fn add(&mut self, invariant: &str, job: impl Into<Option<Uuid>>, what: impl Into<String>) {
        self.0.push(Violation {
            invariant: invariant.to_owned(),
            job: job.into(),
            what: what.into(),
        });
    }
}

/// The evidence, sorted.
struct Case<'a> {
    evidence: &'a Evidence,
    terms: Terms,
    intents: HashMap<Uuid, &'a Intent>,
    /// The changes of each job, in their order.
    changes: HashMap<Uuid, Vec<&'a Change>>,
    /// What was done to whom, from when to when.
    harms: Vec<Harm<'a>>,
}

struct Harm<'a> {
    to: Option<&'a str>,
    what: &'a str,
    from: i64,
    until: i64,
}

impl<'a> Case<'a> {
    fn new(evidence: &'a Evidence, terms: Terms) -> Self {
        let mut intents = HashMap::new();
        let mut harms = Vec::new();
        for record in &evidence.records {
            match &record.fact {
                Fact::Intent(intent) => {
                    intents.insert(intent.job, intent);
                }
                Fact::Fault { to, what, until } => harms.push(Harm {
                    to: to.as_deref(),
                    what,
                    from: record.at,
                    until: *until,
                }),
                Fact::Stalled { ms } => harms.push(Harm {
                    to: Some(record.who.as_str()).filter(|who| ![WATCH, "driver"].contains(who)),
                    what: "stall",
                    from: record.at - ms * 1000,
                    until: record.at,
                }),
                _ => {}
            }
        }
        let mut changes: HashMap<Uuid, Vec<&Change>> = HashMap::new();
        for change in &evidence.changes {
            changes.entry(change.job).or_default().push(change);
        }
        Self {
            evidence,
            terms,
            intents,
            changes,
            harms,
        }
    }

    /// Whether something was done to `who` between the two times that may keep it from its duties.
    fn was_harmed(&self, who: &str, from: i64, until: i64) -> bool {
        self.harms.iter().any(|harm| {
            harm.to.is_none_or(|to| to == who) && harm.from <= until && harm.until >= from
        })
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
