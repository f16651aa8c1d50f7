//! I10: after all is healed there is no backlog, no key, no dependency, no claim, and no process holds more than before.

use super::{Case, Findings};

/// Descriptors that may have come since the first count: connections of loops that had not made one yet.
const ROOM: usize = 24;

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    let evidence = case.evidence;
    for row in &evidence.live {
        found.add("I10", row.job, format!("left behind {}", row.state));
    }
    for entry in &evidence.keys {
        found.add(
            "I10",
            entry.job,
            format!("still holds the key {}", entry.key),
        );
    }
    if evidence.dependencies > 0 {
        let what = format!("{} dependencies are left", evidence.dependencies);
        found.add("I10", None, what);
    }
    for holding in &evidence.holdings {
        if holding.sessions > case.terms.sessions {
            let what = format!("{} has {} sessions", holding.who, holding.sessions);
            found.add("I10", None, what);
        }
        if holding.descriptors > holding.descriptors_before + ROOM {
            let what = format!(
                "{} has {} descriptors open, after {}",
                holding.who, holding.descriptors, holding.descriptors_before
            );
            found.add("I10", None, what);
        }
    }
}
