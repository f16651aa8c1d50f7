//! What a provider says now of one order, whole. Orders follow from this and never from an event.

use chrono::{DateTime, Utc};

use super::Money;

/// By what a provider knows an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Handle {
    /// A checkout page.
    Session(String),
    /// A renewal of a subscription.
    Invoice(String),
}

/// See the module. Every list is whole: what is not in it does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Our id of the order, as we told it when we asked for a page, and as it has kept it. None for a renewal.
    pub reference: Option<String>,
    /// The page; of a renewal always [`Page::Closed`].
    pub page: Page,
    /// What is to be paid, or was.
    pub asked: Money,
    /// The provider's id of the payment, once there is one.
    pub intent: Option<String>,
    /// What was taken. At most one charge of an order succeeds.
    pub charge: Option<Charge>,
    pub refunds: Vec<RefundFact>,
    pub disputes: Vec<DisputeFact>,
    /// Why the last try to pay was declined.
    pub decline_code: Option<String>,
    pub subscription: Option<String>,
    pub invoice: Option<String>,
}

/// The state of a page to pay on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// It can be paid there.
    Open,
    /// It was gone through; money may still be on its way (`charge` says).
    Complete,
    /// Nobody can pay there any more.
    Closed,
}

/// Money that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub id: String,
    pub captured: Money,
    pub at: DateTime<Utc>,
}

/// A refund as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundFact {
    pub id: String,
    /// Our id, if we asked for it.
    pub reference: Option<String>,
    pub amount: Money,
    pub state: RefundState,
    pub failure_code: Option<String>,
    pub at: DateTime<Utc>,
}

/// How far a refund is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundState {
    Pending,
    Succeeded,
    /// It came to nothing, also after it had succeeded; the money is back with us.
    Failed,
}

/// A payer who says at their bank that they did not pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeFact {
    pub id: String,
    pub amount: Money,
    pub state: DisputeState,
    pub at: DateTime<Utc>,
    /// When it was decided.
    pub decided_at: Option<DateTime<Utc>>,
}

/// How far a dispute is. The money is gone from the beginning, and comes back if it is won.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisputeState {
    Open,
    Won,
    Lost,
}
