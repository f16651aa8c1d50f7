//! What follows from what a provider says: pure, so that it can be tried with everything.
//!
//! What is to be posted follows from the facts alone. Facts may be old when they come, since two jobs ask at once and the
//! slower answer is written last; whoever asks for less than is known is told that nothing changed.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::{
    Cause, Facts, Money, Page, RefundState, Status,
    posting::{Line, NewPosting, posting_key},
};
use crate::ids::{PaymentId, UserId};

/// What is known of an order.
#[derive(Debug, Clone)]
pub struct Known {
    pub id: PaymentId,
    pub provider: String,
    pub status: Status,
    pub price: Money,
    /// A renewal has no page, and the provider was not told our id.
    pub renewal: bool,
    pub seller: UserId,
    /// What of each 10,000 stays with the house.
    pub share_bps: i32,
    /// Whether the payer gave up, and not time.
    pub given_up: bool,
    pub decline_code: Option<String>,
    /// What was posted, by its key, with what it moved towards us.
    pub posted: Vec<(String, i64)>,
    /// How far refunds were, by the provider's ids.
    pub refunds: Vec<(String, RefundState)>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// What the provider says does not fit the order: nothing is granted, nothing is posted, staff have to look.
    Mismatch(&'static str),
    /// The facts are older than what is known.
    Stale,
    Change(Box<Change>),
}

/// What an order becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub status: Status,
    pub captured: i64,
    pub refunded: i64,
    pub disputed: i64,
    pub decline_code: Option<String>,
    /// In the order in which they are to be written.
    pub postings: Vec<NewPosting>,
    /// Whether what was bought may be watched; none as long as there is no money.
    pub access: Option<bool>,
}

/// What follows for an order from what the provider says.
pub fn decide(known: &Known, facts: &Facts) -> Decision {
    if let Some(reason) = mismatch(known, facts) {
        return Decision::Mismatch(reason);
    }
    let movements = movements(known, facts);
    let keys: HashSet<&str> = movements.iter().map(|m| m.key.as_str()).collect();
    if known
        .posted
        .iter()
        .any(|(key, _)| !keys.contains(key.as_str()))
    {
        return Decision::Stale;
    }
    let captured = facts.charge.as_ref().map_or(0, |c| c.captured.amount);
    let refunded = facts
        .refunds
        .iter()
        .filter(|refund| state_of(known, &refund.id, refund.state) == RefundState::Succeeded)
        .map(|refund| refund.amount.amount)
        .sum::<i64>()
        .min(captured);
    let disputed = facts
        .disputes
        .iter()
        .filter(|dispute| dispute.state.holds())
        .filter(|d| !is_posted(known, &d.id, Cause::DisputeWon))
        .map(|dispute| dispute.amount.amount)
        .sum();
    let status = status(known, facts, refunded, disputed);
    if !known.status.may_become(status) {
        return Decision::Stale;
    }
    Decision::Change(Box::new(Change {
        status,
        captured,
        refunded,
        disputed,
        decline_code: facts
            .decline_code
            .clone()
            .or_else(|| known.decline_code.clone()),
        postings: postings(known, movements),
        access: facts
            .charge
            .as_ref()
            .map(|_| disputed == 0 && refunded < captured),
    }))
}

fn mismatch(known: &Known, facts: &Facts) -> Option<&'static str> {
    let id = known.id.to_string();
    let told = match &facts.reference {
        Some(reference) => *reference == id,
        None => known.renewal,
    };
    if !told {
        return Some("reference");
    }
    let charged = facts.charge.as_ref().map(|charge| charge.captured);
    let parts = facts.refunds.iter().map(|refund| refund.amount);
    let held = facts.disputes.iter().map(|dispute| dispute.amount);
    let mut all = [facts.asked]
        .into_iter()
        .chain(charged)
        .chain(parts)
        .chain(held);
    if all.any(|money| money.currency != known.price.currency) {
        return Some("currency");
    }
    if facts.asked != known.price || charged.is_some_and(|charged| charged != known.price) {
        return Some("amount");
    }
    None
}

fn status(known: &Known, facts: &Facts, refunded: i64, disputed: i64) -> Status {
    let Some(charge) = &facts.charge else {
        return match facts.page {
            // Created until the answer that brought the page is written.
            Page::Open if known.status == Status::Created => Status::Created,
            Page::Open => Status::Pending,
            Page::Complete if facts.decline_code.is_some() => Status::Failed,
            Page::Complete => Status::Pending,
            Page::Closed if known.renewal => Status::Failed,
            Page::Closed if known.given_up => Status::Canceled,
            Page::Closed => Status::Expired,
        };
    };
    if disputed > 0 {
        Status::Disputed
    } else if refunded >= charge.captured.amount {
        Status::Refunded
    } else if refunded > 0 {
        Status::PartiallyRefunded
    } else {
        Status::Paid
    }
}

/// Something that moved money.
struct Movement {
    key: String,
    cause: Cause,
    /// Towards us positive.
    amount: i64,
    at: DateTime<Utc>,
}

/// Everything that moved money for this order. A refund takes it at once, also while it is pending, and one that failed
/// brings it back: so it is in the provider's own books, with which ours are compared.
fn movements(known: &Known, facts: &Facts) -> Vec<Movement> {
    let mut all = Vec::new();
    let mut push = |object: &str, cause: Cause, amount: i64, at| {
        let key = posting_key(&known.provider, object, cause);
        all.push(Movement {
            key,
            cause,
            amount,
            at,
        });
    };
    let Some(charge) = &facts.charge else {
        return all;
    };
    push(
        &charge.id,
        Cause::Capture,
        charge.captured.amount,
        charge.at,
    );
    for refund in &facts.refunds {
        push(&refund.id, Cause::Refund, -refund.amount.amount, refund.at);
        if state_of(known, &refund.id, refund.state) == RefundState::Failed {
            push(
                &refund.id,
                Cause::RefundFailed,
                refund.amount.amount,
                refund.at,
            );
        }
    }
    for dispute in &facts.disputes {
        let amount = dispute.amount.amount;
        push(&dispute.id, Cause::Dispute, -amount, dispute.at);
        if !dispute.state.holds() || is_posted(known, &dispute.id, Cause::DisputeWon) {
            let at = dispute.decided_at.unwrap_or(dispute.at);
            push(&dispute.id, Cause::DisputeWon, amount, at);
        }
    }
    all
}

/// The lines of what was not posted yet. The house has its share of what is left after each, so that however an order is
/// given back, bit by bit and in any order, both sides come out even to the unit.
fn postings(known: &Known, movements: Vec<Movement>) -> Vec<NewPosting> {
    let posted: HashSet<&str> = known.posted.iter().map(|(key, _)| key.as_str()).collect();
    let mut left: i64 = known.posted.iter().map(|(_, amount)| amount).sum();
    let share = |left: i64| {
        Money::new(left, known.price.currency)
            .share(known.share_bps)
            .amount
    };
    let mut postings = Vec::new();
    for movement in movements {
        if posted.contains(movement.key.as_str()) {
            continue;
        }
        let house = share(left + movement.amount) - share(left);
        left += movement.amount;
        let lines = [
            Line::clearing(movement.amount),
            Line::creator(known.seller, house - movement.amount),
            Line::house(-house),
        ];
        postings.push(NewPosting {
            key: movement.key,
            cause: movement.cause,
            currency: known.price.currency,
            occurred_at: movement.at,
            lines: lines.into_iter().filter(|line| line.amount != 0).collect(),
        });
    }
    postings
}

fn is_posted(known: &Known, object: &str, cause: Cause) -> bool {
    let key = posting_key(&known.provider, object, cause);
    known.posted.iter().any(|(posted, _)| *posted == key)
}

/// How far a refund is, by the later of what is said and what is known.
fn state_of(known: &Known, id: &str, said: RefundState) -> RefundState {
    let rank = |state: &RefundState| match state {
        RefundState::Pending => 0,
        RefundState::Succeeded => 1,
        RefundState::Failed => 2,
    };
    let before = known.refunds.iter().filter(|(known, _)| known == id);
    before
        .map(|(_, state)| *state)
        .chain([said])
        .max_by_key(rank)
        .unwrap_or(said)
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
