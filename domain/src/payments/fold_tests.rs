//! Histories of an order, told in every way.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::payments::{Account, Charge, Currency, DisputeFact, DisputeState, RefundFact};

const PRICE: i64 = 9_999;

/// Makes facts wrong, by money of another currency if that is what is wrong.
type Spoil = fn(&mut Facts, Money);

fn money(amount: i64) -> Money {
    Money::new(amount, Currency::parse("TWD").unwrap())
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

fn order(share_bps: i32) -> Known {
    Known {
        id: PaymentId(Uuid::from_u128(7)),
        provider: "stripe".into(),
        status: Status::Pending,
        price: money(PRICE),
        renewal: false,
        seller: UserId(Uuid::from_u128(8)),
        share_bps,
        given_up: false,
        decline_code: None,
        posted: Vec::new(),
        refunds: Vec::new(),
    }
}

fn unpaid(page: Page) -> Facts {
    Facts {
        reference: Some(Uuid::from_u128(7).to_string()),
        page,
        asked: money(PRICE),
        intent: None,
        charge: None,
        refunds: Vec::new(),
        disputes: Vec::new(),
        decline_code: None,
        subscription: None,
        invoice: None,
    }
}

fn paid() -> Facts {
    Facts {
        charge: Some(Charge {
            id: "ch_1".into(),
            captured: money(PRICE),
            at: at(0),
        }),
        ..unpaid(Page::Complete)
    }
}

fn refund(n: usize, amount: i64, state: RefundState) -> RefundFact {
    RefundFact {
        id: format!("re_{n}"),
        reference: None,
        amount: money(amount),
        state,
        failure_code: None,
        at: at(10),
    }
}

fn dispute(state: DisputeState) -> DisputeFact {
    DisputeFact {
        id: "dp_1".into(),
        amount: money(PRICE),
        state,
        at: at(20),
        decided_at: None,
    }
}

/// Writes a decision down as the database does.
fn write(known: &mut Known, facts: &Facts) -> Decision {
    let decision = decide(known, facts);
    if let Decision::Change(change) = &decision {
        known.status = change.status;
        known.decline_code.clone_from(&change.decline_code);
        for posting in &change.postings {
            let sum: i64 = posting.lines.iter().map(|line| line.amount).sum();
            assert_eq!(sum, 0, "{posting:?}");
            assert!(posting.lines.len() >= 2 && posting.lines.iter().all(|l| l.amount != 0));
            known.posted.push((posting.key.clone(), clearing(posting)));
        }
        for refund in &facts.refunds {
            let state = state_of(known, &refund.id, refund.state);
            known.refunds.retain(|(id, _)| *id != refund.id);
            known.refunds.push((refund.id.clone(), state));
        }
    }
    decision
}

fn clearing(posting: &NewPosting) -> i64 {
    let lines = posting.lines.iter();
    lines
        .filter(|line| line.account == Account::Clearing)
        .map(|line| line.amount)
        .sum()
}

fn change(decision: Decision) -> Change {
    match decision {
        Decision::Change(change) => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_payment_is_posted_once_and_grants() {
    let mut known = order(1_000);
    let first = change(write(&mut known, &paid()));
    assert_eq!((first.status, first.access), (Status::Paid, Some(true)));
    let lines: Vec<i64> = first.postings[0].lines.iter().map(|l| l.amount).collect();
    assert_eq!(lines, [9_999, -9_000, -999]);
    let again = change(write(&mut known, &paid()));
    assert_eq!((again.status, again.postings.len()), (Status::Paid, 0));
}

#[test]
fn pages_that_nobody_paid_on_end_the_order_as_it_was_given_up() {
    for (page, given_up, decline, status) in [
        (Page::Open, false, None, Status::Pending),
        (Page::Open, false, Some("card_declined"), Status::Pending),
        (Page::Complete, false, None, Status::Pending),
        (
            Page::Complete,
            false,
            Some("insufficient_funds"),
            Status::Failed,
        ),
        (Page::Closed, false, None, Status::Expired),
        (Page::Closed, true, None, Status::Canceled),
    ] {
        let facts = Facts {
            decline_code: decline.map(str::to_owned),
            ..unpaid(page)
        };
        let known = Known {
            given_up,
            ..order(0)
        };
        let change = change(decide(&known, &facts));
        assert_eq!((change.status, change.access), (status, None));
    }
}

#[test]
fn what_was_paid_late_is_paid() {
    for end in [Status::Canceled, Status::Expired, Status::Failed] {
        let known = Known {
            status: end,
            ..order(0)
        };
        assert_eq!(change(decide(&known, &paid())).status, Status::Paid);
        // And what ended does not open again.
        assert_eq!(decide(&known, &unpaid(Page::Open)), Decision::Stale);
    }
}

#[test]
fn what_does_not_fit_the_order_is_never_granted() {
    let other = Money::new(PRICE, Currency::parse("USD").unwrap());
    let cases: [(&str, Spoil); 6] = [
        ("reference", |facts, _| facts.reference = Some("x".into())),
        ("reference", |facts, _| facts.reference = None),
        ("currency", |facts, other| facts.asked = other),
        ("currency", |facts, other| {
            facts.charge.as_mut().unwrap().captured = other;
        }),
        ("amount", |facts, _| facts.asked.amount += 1),
        ("amount", |facts, _| {
            facts.charge.as_mut().unwrap().captured.amount -= 1;
        }),
    ];
    for (reason, spoil) in cases {
        let mut facts = paid();
        spoil(&mut facts, other);
        assert_eq!(decide(&order(0), &facts), Decision::Mismatch(reason));
    }
}

#[test]
fn a_refund_that_fails_gives_access_back_and_leaves_both_postings() {
    let mut known = order(1_000);
    write(&mut known, &paid());
    let mut facts = paid();
    facts.refunds = vec![refund(1, PRICE, RefundState::Pending)];
    let pending = change(write(&mut known, &facts));
    assert_eq!((pending.status, pending.access), (Status::Paid, Some(true)));
    facts.refunds[0].state = RefundState::Succeeded;
    let done = change(write(&mut known, &facts));
    assert_eq!((done.status, done.access), (Status::Refunded, Some(false)));
    facts.refunds[0].state = RefundState::Failed;
    let failed = change(write(&mut known, &facts));
    assert_eq!((failed.status, failed.access), (Status::Paid, Some(true)));
    assert_eq!(known.posted.len(), 3);
}

#[test]
fn a_dispute_takes_access_until_it_is_won() {
    let mut known = order(1_000);
    let mut facts = paid();
    facts.disputes = vec![dispute(DisputeState::Open)];
    let open = change(write(&mut known, &facts));
    assert_eq!((open.status, open.access), (Status::Disputed, Some(false)));
    facts.disputes[0].state = DisputeState::Won;
    let won = change(write(&mut known, &facts));
    assert_eq!((won.status, won.access), (Status::Paid, Some(true)));
    // An answer from before it was won comes late.
    facts.disputes[0].state = DisputeState::Open;
    assert_eq!(change(write(&mut known, &facts)).status, Status::Paid);
}

/// The moments of an order at which the provider may be asked, in order.
fn history() -> impl Strategy<Value = Vec<Facts>> {
    let pieces = proptest::collection::vec((1_i64..4_000, 0..3_u8), 0..4);
    (pieces, 0..4_u8).prop_map(|(pieces, disputed)| {
        let mut moments = vec![unpaid(Page::Open), paid()];
        let mut facts = paid();
        let mut left = PRICE;
        for (n, (amount, steps)) in pieces.into_iter().enumerate() {
            let amount = amount.min(left);
            if amount == 0 {
                break;
            }
            facts.refunds.push(refund(n, amount, RefundState::Pending));
            moments.push(facts.clone());
            for state in [RefundState::Succeeded, RefundState::Failed]
                .into_iter()
                .take(steps.into())
            {
                facts.refunds[n].state = state;
                moments.push(facts.clone());
            }
            if steps < 2 {
                left -= amount;
            }
        }
        let states = [DisputeState::Open, DisputeState::Won];
        for state in states.into_iter().take(disputed.into()) {
            facts.disputes = vec![dispute(state)];
            moments.push(facts.clone());
        }
        moments
    })
}

proptest! {
    /// Answers come in any order and any number of times, the last one at least once: status, sums and ledger are those of
    /// whoever heard only the last one, and no posting is made twice.
    #[test]
    fn the_end_does_not_depend_on_what_was_heard_before(
        moments in history(), order_of in proptest::collection::vec(any::<prop::sample::Index>(), 0..12), bps in 0_i32..=10_000,
    ) {
        let last = moments.last().unwrap();
        let mut straight = order(bps);
        let expected = change(write(&mut straight, last));
        let mut known = order(bps);
        for index in order_of {
            write(&mut known, index.get(&moments));
        }
        let end = change(write(&mut known, last));
        prop_assert_eq!(end.status, expected.status);
        prop_assert_eq!((end.captured, end.refunded, end.disputed), (expected.captured, expected.refunded, expected.disputed));
        prop_assert_eq!(end.access, expected.access);
        let keys = |known: &Known| known.posted.iter().cloned().collect::<HashSet<_>>();
        prop_assert_eq!(keys(&known), keys(&straight));
        prop_assert_eq!(known.posted.len(), keys(&known).len());
        // And once more changes nothing.
        let again = change(write(&mut known, last));
        prop_assert!(again.postings.is_empty());
        prop_assert_eq!(again.status, end.status);
    }

    /// What the house and the creator have is exactly what is left, split by the share of what is left.
    #[test]
    fn the_shares_are_exact_however_it_is_given_back(moments in history(), bps in 0_i32..=10_000) {
        let mut known = order(bps);
        let (mut creator, mut house, mut clearing) = (0, 0, 0);
        for facts in &moments {
            if let Decision::Change(change) = write(&mut known, facts) {
                for line in change.postings.iter().flat_map(|posting| &posting.lines) {
                    match line.account {
                        Account::Clearing => clearing += line.amount,
                        Account::Creator => creator += line.amount,
                        Account::House => house += line.amount,
                    }
                }
            }
        }
        prop_assert_eq!(clearing + creator + house, 0);
        prop_assert_eq!(-house, money(clearing).share(bps).amount);
    }
}
