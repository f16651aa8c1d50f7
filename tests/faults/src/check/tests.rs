//! Hand-made violations of each invariant, and the honest story that has none.

use super::*;
use crate::{
    evidence::{Ending, Entry, Holding, Row},
    record::{Answer, Expected, Record},
};

const SECOND: i64 = 1_000_000;

fn terms() -> Terms {
    Terms {
        lease: Duration::from_secs(3),
        recover_within: Duration::from_secs(6),
        sessions: 16,
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn record(at: i64, who: &str, fact: Fact) -> Record {
    Record {
        at,
        who: who.to_owned(),
        fact,
    }
}

fn intent(job: Uuid) -> Intent {
    Intent {
        job,
        kind: "effect".to_owned(),
        unique: None,
        effect: Some(format!("key {job}")),
        parents: Vec::new(),
        on_failure: false,
        expected: Expected::Completed,
    }
}

fn change(at: i64, who: &str, job: Uuid) -> Change {
    Change {
        at,
        who: Some(who.to_owned()),
        job,
        run_no: 1,
        max_attempts: 3,
        max_crashes: 3,
        ..Change::default()
    }
}

fn insert(at: i64, job: Uuid) -> Change {
    Change {
        new_state: Some("available".to_owned()),
        new_attempt: Some(0),
        new_crashes: Some(0),
        run_no: 0,
        ..change(at, "enqueuer", job)
    }
}

fn claim(at: i64, who: &str, job: Uuid, token: u128, run_no: i32) -> Change {
    Change {
        old_state: Some("available".to_owned()),
        new_state: Some("running".to_owned()),
        new_token: Some(id(token)),
        new_lease: Some(at + 3 * SECOND),
        old_attempt: Some(run_no - 1),
        new_attempt: Some(run_no),
        old_crashes: Some(run_no - 1),
        new_crashes: Some(run_no - 1),
        run_no,
        ..change(at, who, job)
    }
}

/// A rescue by `who` of the run before.
fn rescue(at: i64, who: &str, claimed: &Change) -> Change {
    Change {
        old_state: claimed.new_state.clone(),
        new_state: Some("available".to_owned()),
        old_token: claimed.new_token,
        old_lease: claimed.new_lease,
        old_attempt: claimed.new_attempt,
        new_attempt: claimed.new_attempt,
        old_crashes: claimed.new_crashes,
        new_crashes: claimed.new_crashes.map(|n| n + 1),
        run_no: claimed.run_no,
        ..change(at, who, claimed.job)
    }
}

fn end(at: i64, who: &str, claimed: &Change) -> Change {
    Change {
        old_state: claimed.new_state.clone(),
        old_token: claimed.new_token,
        old_lease: claimed.new_lease,
        old_attempt: claimed.new_attempt,
        old_crashes: claimed.new_crashes,
        run_no: claimed.run_no,
        ..change(at, who, claimed.job)
    }
}

/// One job, claimed by `a`, which is killed; rescued by `b`, which does it.
fn story() -> Evidence {
    let job = id(1);
    let first = claim(SECOND, "a", job, 11, 1);
    let second = claim(5 * SECOND, "b", job, 12, 2);
    let run = |at, who, token, how: Option<Answer>| {
        let (token, serial) = (id(token), None);
        let fact = match how {
            None => Fact::Started {
                job,
                token,
                run_no: 1,
                serial,
            },
            Some(how) => Fact::Ended { job, token, how },
        };
        record(at, who, fact)
    };
    Evidence {
        records: vec![
            record(0, "enqueuer", Fact::Intent(intent(job))),
            record(10, "enqueuer", Fact::Accepted { job, holder: job }),
            run(SECOND + 10, "a", 11, None),
            record(
                SECOND + 20,
                "driver",
                Fact::Fault {
                    to: Some("a".to_owned()),
                    what: "kill".to_owned(),
                    until: SECOND + 20,
                },
            ),
            run(5 * SECOND + 10, "b", 12, None),
            run(5 * SECOND + 20, "b", 12, Some(Answer::Done)),
        ],
        changes: vec![
            insert(5, job),
            first.clone(),
            rescue(4 * SECOND + 1, "b", &first),
            second.clone(),
            end(5 * SECOND + 30, "b", &second),
        ],
        endings: vec![Ending {
            at: 5 * SECOND + 30,
            op: "INSERT".to_owned(),
            job,
            state: "completed".to_owned(),
            token: Some(id(12)),
        }],
        finished: vec![Row {
            job,
            kind: "effect".to_owned(),
            state: "completed".to_owned(),
            ..Row::default()
        }],
        ledger: vec![Entry {
            key: format!("key {job}"),
            job,
        }],
        ..Evidence::default()
    }
}

/// The invariants that are found broken after `spoil`.
fn broken(spoil: impl FnOnce(&mut Evidence)) -> Vec<String> {
    let mut evidence = story();
    spoil(&mut evidence);
    let mut names: Vec<String> = check(&evidence, terms())
        .into_iter()
        .map(|violation| violation.invariant)
        .collect();
    names.dedup();
    names
}

#[test]
fn an_honest_story_breaks_nothing() {
    assert_eq!(broken(|_| {}), [""; 0]);
    let waits = recoveries(&story(), terms());
    assert_eq!(waits, [Duration::from_micros(3_999_980)]);
}

#[test]
fn i1_a_lost_job_is_missed() {
    let lost = broken(|e| {
        e.finished.clear();
        e.ledger.clear();
    });
    assert_eq!(lost, ["I1"]);
}

#[test]
fn i1_a_job_ends_once_and_as_it_must() {
    assert_eq!(broken(|e| e.finished.push(e.finished[0].clone())), ["I1"]);
    let wrong = broken(|e| e.finished[0].state = "discarded".to_owned());
    assert!(wrong.contains(&"I1".to_owned()), "{wrong:?}");
}

#[test]
fn i1_a_promised_job_comes_once() {
    let promise = |e: &mut Evidence| {
        let Fact::Intent(intent) = &mut e.records[0].fact else {
            panic!("the first record is the intent");
        };
        intent.on_failure = true;
        intent.effect = None;
        intent.expected = Expected::Discarded;
        e.finished[0].state = "discarded".to_owned();
        e.endings[0].state = "discarded".to_owned();
    };
    assert_eq!(broken(promise), ["I1"]);
    let kept = broken(|e| {
        promise(e);
        e.finished.push(Row {
            job: id(2),
            kind: "mourn".to_owned(),
            state: "completed".to_owned(),
            failure_of: Some(id(1)),
            ..Row::default()
        });
    });
    assert_eq!(kept, [""; 0]);
}

#[test]
fn i2_a_job_from_nowhere_is_seen() {
    let stray = broken(|e| {
        e.finished.push(Row {
            job: id(9),
            state: "completed".to_owned(),
            ..Row::default()
        });
    });
    assert_eq!(stray, ["I2"]);
}

#[test]
fn i3_effects_are_counted() {
    assert_eq!(broken(|e| e.ledger.push(e.ledger[0].clone())), ["I3"]);
    assert_eq!(broken(|e| e.ledger.clear()), ["I3"]);
}

#[test]
fn i3_two_holders_of_a_key_are_seen() {
    let twins = |period: bool| {
        broken(move |e| {
            let key = if period { "p:k" } else { "u:k" };
            let mut other = intent(id(2));
            other.effect = None;
            other.unique = Some(key.to_owned());
            let Fact::Intent(first) = &mut e.records[0].fact else {
                panic!("the first record is the intent");
            };
            first.unique = Some(key.to_owned());
            e.records
                .insert(1, record(1, "enqueuer", Fact::Intent(other)));
            let at = if period { e.changes.len() } else { 1 };
            e.changes.insert(at, insert(6 * SECOND, id(2)));
        })
    };
    assert_eq!(twins(false), ["I3"]);
    assert_eq!(twins(true), ["I3"]);
}

#[test]
fn i4_a_charge_too_many_is_seen() {
    let spent = broken(|e| e.changes.iter_mut().for_each(|c| c.max_attempts = 1));
    assert_eq!(spent, ["I4"]);
    let crashed = broken(|e| e.changes.iter_mut().for_each(|c| c.max_crashes = 1));
    assert_eq!(crashed, ["I4"]);
}

#[test]
fn i4_an_uncounted_crash_is_seen() {
    let uncounted = broken(|e| e.changes[2].new_crashes = Some(0));
    assert!(uncounted.contains(&"I4".to_owned()), "{uncounted:?}");
}

#[test]
fn i4_a_release_that_costs_an_attempt_is_seen() {
    let charged = |attempt: i32| {
        broken(move |e| {
            let mut release = rescue(2 * SECOND, "a", &e.changes[1]);
            release.new_crashes = release.old_crashes;
            release.new_attempt = Some(attempt);
            e.changes[2] = release;
            e.changes[3].old_attempt = Some(attempt);
            e.changes[3].new_attempt = Some(attempt + 1);
        })
    };
    assert_eq!(charged(0), [""; 0]);
    assert_eq!(charged(1), ["I4"]);
}

#[test]
fn i4_a_crash_of_the_living_is_seen() {
    assert_eq!(broken(|e| drop(e.records.remove(3))), ["I4"]);
}

#[test]
fn i5_a_zombies_answer_is_seen() {
    let stranger = broken(|e| e.changes[4].who = Some("a".to_owned()));
    assert_eq!(stranger, ["I5"]);
    let unheld = broken(|e| e.endings[0].token = None);
    assert_eq!(unheld, ["I5"]);
}

#[test]
fn i5_a_strangers_renewal_is_seen() {
    let renewed = broken(|e| {
        let mut renewal = end(5 * SECOND + 25, "a", &e.changes[3]);
        renewal.new_state = renewal.old_state.clone();
        renewal.new_token = renewal.old_token;
        renewal.new_lease = Some(9 * SECOND);
        e.changes.insert(4, renewal);
    });
    assert_eq!(renewed, ["I5"]);
}

#[test]
fn i5_a_live_lease_is_not_taken() {
    let early = broken(|e| e.changes[2].old_lease = Some(99 * SECOND));
    assert_eq!(early, ["I5"]);
    let stolen = broken(|e| {
        e.changes[3].old_token = Some(id(11));
        e.changes[3].old_state = Some("running".to_owned());
        e.changes.remove(2);
    });
    assert!(stolen.contains(&"I5".to_owned()), "{stolen:?}");
}

#[test]
fn i5_runs_do_not_overlap() {
    let overlap = |frozen: bool, committing: bool| {
        broken(move |e| {
            let ended = Fact::Ended {
                job: id(1),
                token: id(11),
                how: Answer::Stopped,
            };
            if committing {
                let (job, token) = (id(1), id(11));
                let commit = Fact::Committing { job, token };
                e.records.push(record(5 * SECOND, "a", commit));
            }
            e.records.push(record(9 * SECOND, "a", ended));
            if frozen {
                let Fact::Fault { what, until, .. } = &mut e.records[3].fact else {
                    panic!("the fourth record is the fault");
                };
                (*what, *until) = ("freeze".to_owned(), 9 * SECOND);
            }
        })
    };
    assert_eq!(overlap(false, false), ["I5"]);
    assert_eq!(overlap(true, false), [""; 0]);
    assert_eq!(overlap(false, true), [""; 0]);
}

#[test]
fn i6_the_history_does_not_change() {
    let touched = broken(|e| {
        let mut update = e.endings[0].clone();
        update.op = "UPDATE".to_owned();
        e.endings.push(update);
    });
    assert_eq!(touched, ["I6"]);
    assert_eq!(broken(|e| e.endings.push(e.endings[0].clone())), ["I6"]);
}

#[test]
fn i7_a_late_recovery_is_seen() {
    let late = broken(|e| {
        for change in &mut e.changes[2..] {
            change.at += 6 * SECOND;
        }
        e.endings[0].at += 6 * SECOND;
    });
    assert_eq!(late, ["I7"]);
}

#[test]
fn i8_parents_come_first_and_serial_runs_alone() {
    let early = broken(|e| {
        let Fact::Intent(intent) = &mut e.records[0].fact else {
            panic!("the first record is the intent");
        };
        intent.parents.push(id(7));
    });
    assert_eq!(early, ["I8"]);
    let beside = broken(|e| {
        let mut other = intent(id(2));
        other.effect = None;
        e.records.push(record(1, "enqueuer", Fact::Intent(other)));
        for (job, token, from) in [(id(1), id(12), 5), (id(2), id(22), 6)] {
            let serial = Some("word".to_owned());
            let fact = Fact::Started {
                job,
                token,
                run_no: 1,
                serial,
            };
            e.records.push(record(5 * SECOND + from, "b", fact));
        }
    });
    assert_eq!(beside, ["I8"]);
}

#[test]
fn i10_what_is_left_behind_is_seen() {
    let key = Entry {
        key: "u:1".to_owned(),
        job: id(1),
    };
    assert_eq!(broken(|e| e.keys.push(key)), ["I10"]);
    assert_eq!(broken(|e| e.dependencies = 1), ["I10"]);
    let holding = Holding {
        who: "b".to_owned(),
        sessions: 40,
        descriptors: 90,
        descriptors_before: 30,
    };
    assert_eq!(broken(|e| e.holdings.push(holding)), ["I10"]);
    let stuck = broken(|e| {
        e.live = std::mem::take(&mut e.finished);
        e.ledger.clear();
    });
    assert_eq!(stuck, ["I1", "I10"]);
}
