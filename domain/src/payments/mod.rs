//! Orders, what providers say of them, the ledger, and what was paid for.
//!
//! An event of a provider is a reason to ask it what is true now ([`Facts`]), nothing more. What follows from that is
//! computed by a pure fold, written under the order's lock, and posted to the ledger once per object and kind.

/// Currencies by ISO 4217.
mod currency;
/// How far a provider's list of events was read.
pub mod cursor;
/// What a provider says of an order.
mod facts;
/// Amounts.
mod money;
/// What takes the money.
mod provider;
/// Whether a provider said something.
pub mod signature;
/// The client of Stripe.
mod stripe;

pub use currency::Currency;
pub use facts::{Charge, DisputeFact, DisputeState, Facts, Handle, Page, RefundFact, RefundState};
pub use money::Money;
pub use provider::{
    About, Cause, Delivery, Movement, NewPage, NewRefund, OpenPage, PaidInvoice, Provider,
    ProviderError, SubscriptionFacts, SubscriptionState,
};
pub use signature::SignatureError;
pub use stripe::{Stripe, StripeError, StripeOptions};
