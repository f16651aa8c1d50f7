//! I5: claims of a job come one after the other, and only the holder of a live lease writes. I6: what has ended stays.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Case, Findings};
use crate::{
    evidence::Change,
    record::{Answer, Fact},
};

/// How long a run may go on after the next has begun: it hears of its lost lease by its own clock, and must stop.
const OVERLAP: i64 = 1_500_000;

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    for changes in case.changes.values() {
        let mut lease = Lease::default();
        for change in changes {
            lease.judge(change, found);
        }
    }
    endings(case, found);
    overlaps(case, found);
}

/// What is known of a job's lease between two changes.
#[derive(Default)]
struct Lease<'a> {
    holder: Option<&'a str>,
    tokens: HashSet<Uuid>,
    run_no: i32,
    /// Its last lease was counted as a crash, so the rescuer may end it.
    rescued: bool,
}

impl<'a> Lease<'a> {
    fn judge(&mut self, change: &'a Change, found: &mut Findings) {
        let who = change.who.as_deref();
        let name = who.unwrap_or("the driver");
        let crashed = change.old_crashes.is_some() && change.new_crashes > change.old_crashes;
        if crashed {
            if change.old_lease.is_some_and(|lease| lease > change.at) {
                found.add(
                    "I5",
                    change.job,
                    format!("{name} rescued it from a live lease"),
                );
            }
            self.rescued = true;
        }
        match (change.old_token, change.new_token) {
            (None, Some(token)) => {
                if !self.tokens.insert(token) {
                    found.add("I5", change.job, "a token was used twice");
                }
                if change.run_no <= self.run_no {
                    found.add(
                        "I5",
                        change.job,
                        format!("run {} came again", change.run_no),
                    );
                }
                self.run_no = change.run_no;
                self.holder = who;
                self.rescued = false;
            }
            (Some(old), Some(new)) if old != new => {
                found.add(
                    "I5",
                    change.job,
                    format!("{name} claimed it from a running run"),
                );
                self.holder = who;
            }
            (Some(_), Some(_)) => {
                if change.new_lease != change.old_lease && who != self.holder {
                    let what = format!("{name} renewed the lease of {:?}", self.holder);
                    found.add("I5", change.job, what);
                }
            }
            (Some(_), None) => {
                // Rescued or ended by whom it belonged to.
                if !self.rescued && who != self.holder {
                    let verb = change.new_state.as_deref().unwrap_or("ended");
                    let what = format!("{name} answered ({verb}) for {:?}", self.holder);
                    found.add("I5", change.job, what);
                }
            }
            (None, None) => {}
        }
    }
}

/// Who completed a job had done it; and I6.
fn endings(case: &Case<'_>, found: &mut Findings) {
    let mut done: HashMap<(Uuid, Uuid), i64> = HashMap::new();
    for record in &case.evidence.records {
        if let Fact::Ended {
            job,
            token,
            how: Answer::Done,
        } = record.fact
        {
            done.entry((job, token)).or_insert(record.at);
        }
    }
    let mut ended = HashSet::new();
    for ending in &case.evidence.endings {
        if ending.op != "INSERT" {
            let what = format!("{} of a row that had ended {}", ending.op, ending.state);
            found.add("I6", ending.job, what);
            continue;
        }
        if !ended.insert(ending.job) {
            found.add("I6", ending.job, "ended again");
        }
        if ending.state != "completed" {
            continue;
        }
        let claimed = ending
            .token
            .and_then(|token| done.get(&(ending.job, token)));
        if claimed.is_none_or(|&at| at > ending.at) {
            found.add(
                "I5",
                ending.job,
                "completed by a run that did not hold its lease",
            );
        }
    }
}

/// Two runs of a job at a time, when neither the kill nor the freeze of a process explains it.
fn overlaps(case: &Case<'_>, found: &mut Findings) {
    struct Span<'a> {
        who: &'a str,
        from: i64,
        until: Option<i64>,
    }
    let mut runs: HashMap<Uuid, Vec<(Uuid, Span<'_>)>> = HashMap::new();
    for record in &case.evidence.records {
        match &record.fact {
            Fact::Started { job, token, .. } => runs.entry(*job).or_default().push((
                *token,
                Span {
                    who: &record.who,
                    from: record.at,
                    until: None,
                },
            )),
            Fact::Ended { job, token, .. } | Fact::Committing { job, token } => {
                let spans = runs.entry(*job).or_default();
                if let Some((_, span)) = spans.iter_mut().find(|(run, _)| run == token) {
                    span.until.get_or_insert(record.at);
                }
            }
            _ => {}
        }
    }
    for (job, spans) in &runs {
        for (first, second) in spans.iter().zip(spans.iter().skip(1)) {
            let (first, next) = (&first.1, second.1.from);
            let Some(until) = first.until else { continue };
            let frozen: i64 = case
                .harms
                .iter()
                .filter(|harm| {
                    harm.what == "stall" || harm.to == Some(first.who) && harm.what == "freeze"
                })
                .map(|harm| (harm.until.min(until) - harm.from.max(next)).max(0))
                .sum();
            if until - next - frozen > OVERLAP {
                let ms = (until - next - frozen) / 1000;
                let what = format!("{} went on {ms} ms beside the next run", first.who);
                found.add("I5", *job, what);
            }
        }
    }
}
