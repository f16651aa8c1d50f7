//! What takes the money. There is one client, Stripe's; the sandbox of local mode speaks the same protocol at another
//! address.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{DisputeState, Facts, Handle, Money, RefundFact, SignatureError};
use crate::{
    email::Language,
    ids::{PaymentId, RefundId},
};

/// A way to be paid. Every call may be made twice: what it makes carries a key that follows from our ids.
#[async_trait]
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The word in our rows and in the address of the webhook: `stripe`, `sandbox`.
    fn name(&self) -> &'static str;

    /// Asks for a page to pay on; asked again for the same order, it is the same page.
    async fn open(&self, order: &NewPage) -> Result<OpenPage, ProviderError>;

    /// Closes a page, so that nobody can pay there any more. One that is closed or complete already is no error: read
    /// the [`Facts`] afterwards, since it may have been paid meanwhile.
    async fn close(&self, session: &str) -> Result<(), ProviderError>;

    /// What is true of an order now.
    async fn facts(&self, of: &Handle) -> Result<Facts, ProviderError>;

    /// Gives money back; asked again for the same refund, it is given once.
    async fn refund(&self, ask: &NewRefund) -> Result<RefundFact, ProviderError>;

    /// What is true of a subscription now.
    async fn subscription(&self, id: &str) -> Result<SubscriptionFacts, ProviderError>;

    /// Lets a subscription end with the period that is paid for, or go on after all.
    async fn renew(&self, subscription: &str, goes_on: bool) -> Result<(), ProviderError>;

    /// Ends a subscription at once.
    async fn end(&self, subscription: &str) -> Result<(), ProviderError>;

    /// Events that happened from `since` on, oldest first, so that lost calls are found. Bodies are as they would have been
    /// delivered.
    async fn events(&self, since: DateTime<Utc>) -> Result<Vec<Delivery>, ProviderError>;

    /// Everything that moved money from (with) to (without).
    async fn movements(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Movement>, ProviderError>;

    /// Whether these bytes were signed by the provider, with one of the active secrets, within five minutes of now.
    ///
    /// # Errors
    /// Why they are not believed.
    fn verify(&self, header: Option<&str>, body: &[u8]) -> Result<(), SignatureError>;

    /// What an event is about, of bytes that were verified.
    ///
    /// # Errors
    /// That it is no event.
    fn read(&self, body: &[u8]) -> Result<Delivery, ProviderError>;
}

/// What a page to pay on is asked for with.
#[derive(Debug, Clone)]
pub struct NewPage {
    pub payment: PaymentId,
    pub title: String,
    pub price: Money,
    /// Of a subscription: `month` or `year`.
    pub period: Option<&'static str>,
    pub language: Language,
    /// Filled in for the payer.
    pub email: Option<String>,
    /// Where the browser comes back to.
    pub paid_url: String,
    pub given_up_url: String,
    /// When the page closes by itself.
    pub expires_at: DateTime<Utc>,
}

/// A page to pay on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPage {
    pub session: String,
    pub url: String,
}

/// Money that is to be given back.
#[derive(Debug, Clone)]
pub struct NewRefund {
    pub refund: RefundId,
    /// [`Facts::intent`].
    pub intent: String,
    pub amount: Money,
}

/// A subscription as the provider knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionFacts {
    pub id: String,
    pub state: SubscriptionState,
    /// The end of the period that was last begun.
    pub period_end: DateTime<Utc>,
    pub ends_at_period_end: bool,
    /// All invoices that were paid, the first one included, oldest first.
    pub paid_invoices: Vec<PaidInvoice>,
}

/// A period that was paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaidInvoice {
    pub id: String,
    pub paid_until: DateTime<Utc>,
}

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    Active,
    /// The last renewal was not paid; it is tried again.
    PastDue,
    Ended,
}

/// An event, told or read.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub event_id: String,
    pub kind: String,
    pub about: About,
    /// The object's id, for the inbox.
    pub object_id: Option<String>,
    pub body: Vec<u8>,
    pub at: DateTime<Utc>,
}

/// What an event is about, as far as it leads to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    Session(String),
    /// A charge, a refund, a dispute: by the payment.
    Intent(String),
    Invoice {
        invoice: String,
        subscription: Option<String>,
    },
    Subscription(String),
    /// Nothing of ours.
    Nothing,
}

/// Money that moved at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// As [`super::posting_key`] makes it of the object and the kind.
    pub key: String,
    /// Towards us positive.
    pub amount: Money,
    pub at: DateTime<Utc>,
}

/// Of a movement or a posting: what moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerCause)]
pub enum Cause {
    Capture,
    Refund,
    RefundFailed,
    Dispute,
    DisputeWon,
}

impl DisputeState {
    /// Whether the money is with the payer, or held back for them.
    pub const fn holds(self) -> bool {
        !matches!(self, Self::Won)
    }
}

/// Why a provider did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Nobody knows whether it was done: ask again with the same key.
    #[error("the provider could not be reached, or its answer was lost: {0}")]
    Unreachable(String),
    /// It is down, or we ask too much.
    #[error("the provider asks to wait (HTTP {status})")]
    Busy {
        status: u16,
        retry_after: Option<std::time::Duration>,
    },
    /// Our key is not accepted: somebody has to look.
    #[error("the provider does not accept our key")]
    Unauthorized,
    #[error("the provider knows no such thing")]
    NotFound,
    /// It said no, and will say it again.
    #[error("the provider refused: {code}: {message}")]
    Refused { code: String, message: String },
    /// It says something that we do not understand.
    #[error("the provider's answer makes no sense: {0}")]
    Answer(String),
}

impl ProviderError {
    /// Whether the same call may succeed later.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. })
    }
}
