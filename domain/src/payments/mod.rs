//! Orders, what providers say of them, the ledger, and what was paid for.
//!
//! An event of a provider is a reason to ask it what is true now ([`Facts`]), nothing more. What follows from that is
//! computed by a pure fold ([`decide`]), written under the order's lock ([`apply`]), and posted to the ledger once per
//! object of the provider's and kind.

/// What a provider says is written down.
mod apply;
/// The ledger compared with the provider.
pub mod check;
/// The course of an open order.
mod course;
/// A new order.
mod create;
/// Currencies by ISO 4217.
mod currency;
/// What somebody may watch because they paid.
pub mod entitlement;
/// The inbox.
pub mod event;
/// What a provider says of an order.
mod facts;
/// What follows from it.
mod fold;
/// What can be paid for.
mod item;
/// Postings, as they are written and read.
pub mod ledger;
/// What people read of an order.
pub mod moment;
/// Amounts.
mod money;
/// Orders, as they are read.
mod order;
/// What a posting consists of.
mod posting;
/// What items cost.
mod price;
/// What takes the money.
mod provider;
/// Money on its way back.
pub mod refund;
/// Whether a provider said something.
pub mod signature;
/// The states of an order.
mod state;
/// The client of Stripe.
mod stripe;
/// Who is told.
mod topic;

pub use apply::{Applied, apply};
pub use check::Difference;
pub use course::{give_up, opened, overdue, stuck};
pub use create::{CreateError, Created, NewPayment, create};
pub use currency::{Currency, UnknownCurrency};
pub use event::{EventOutcome, InboxEvent, Source};
pub use facts::{Charge, DisputeFact, DisputeState, Facts, Handle, Page, RefundFact, RefundState};
pub use fold::{Change, Decision, Known, decide};
pub use item::{Item, ItemType, find_item};
pub use ledger::Posting;
pub use moment::Moment;
pub use money::Money;
pub use order::{Closing, Payment, PaymentFilter, PaymentSearch};
pub use posting::{Account, Line, NewPosting, posting_key};
pub use price::{Period, Price, drop_price, prices_of, set_price};
pub use provider::{
    About, Cause, Delivery, Movement, NewPage, NewRefund, OpenPage, PaidInvoice, Provider,
    ProviderError, SubscriptionFacts, SubscriptionState,
};
pub use refund::{NewRefundRow, Refund, RefundError, RefundStatus};
pub use signature::SignatureError;
pub use state::Status;
pub use stripe::{Stripe, StripeError, StripeOptions};
pub use topic::{announce, topic_of_order};

/// The value of a column, if it is one that we write.
fn column<T>(name: &'static str, value: Option<T>) -> Result<T, sqlx::Error> {
    value.ok_or_else(|| {
        sqlx::Error::Decode(format!("column {name} holds what no version of ours wrote").into())
    })
}
