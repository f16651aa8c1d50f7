//! I4: charged attempts stay within their limit, crashes included; only a shutdown, a snooze and a claim whose answer
//! was lost are free; and a crash is counted exactly when a worker let its job down.

use super::{Case, Findings, micros};
use crate::evidence::Change;

pub(super) fn check(case: &Case<'_>, found: &mut Findings) {
    for changes in case.changes.values() {
        let mut holder: Option<&str> = None;
        for change in changes {
            judge(case, change, holder, found);
            if change.old_token.is_none() && change.new_token.is_some() {
                holder = change.who.as_deref();
            }
        }
    }
    for row in &case.evidence.finished {
        if row.state == "quarantined" && row.crash_count != row.max_crashes {
            let what = format!(
                "quarantined after {} crashes of {}",
                row.crash_count, row.max_crashes
            );
            found.add("I4", row.job, what);
        }
    }
}

fn judge(case: &Case<'_>, change: &Change, holder: Option<&str>, found: &mut Findings) {
    let (Some(old), Some(new)) = (change.old_attempt, change.new_attempt) else {
        return;
    };
    let crashed = change.new_crashes > change.old_crashes;
    let claimed = change.old_token.is_none() && change.new_token.is_some();
    let returned = change.old_token.is_some() && change.new_token.is_none();
    let state = change.new_state.as_deref().unwrap_or_default();
    if claimed && new != old + 1 {
        found.add(
            "I4",
            change.job,
            format!("a claim took attempt {old} to {new}"),
        );
    }
    if claimed && new > change.max_attempts {
        let what = format!("attempt {new} of {}", change.max_attempts);
        found.add("I4", change.job, what);
    }
    if claimed && change.new_crashes >= Some(change.max_crashes) {
        found.add("I4", change.job, "runs again after its last crash");
    }
    if returned {
        // A rescue and a failure keep the charge; who gives back on his own account gives the attempt back too.
        let kept = crashed || state == "retryable";
        if new != old - i32::from(!kept) {
            let what = format!(
                "became {state} and its attempt went from {old} to {new}; crash: {crashed}"
            );
            found.add("I4", change.job, what);
        }
    }
    if crashed && let Some(who) = holder {
        let since = change.at - 4 * micros(case.terms.lease);
        if !case.was_harmed(who, since, change.at) {
            let what = format!("was charged a crash, but nothing had happened to {who}");
            found.add("I4", change.job, what);
        }
    }
}
