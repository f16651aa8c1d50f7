//! Their objects, as far as they are read. What is not named here is ignored, as they ask of clients.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::payments::{Currency, Money, ProviderError};

/// What is listed in pages.
pub(super) trait Listed {
    /// What the next page begins after.
    fn id(&self) -> &str;
}

/// A list, or a page of one.
#[derive(Debug, Deserialize)]
pub(super) struct List<T> {
    pub data: Vec<T>,
    #[serde(default)]
    pub has_more: bool,
}

/// Another object: its id, or itself where we asked for that.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Ref {
    Id(String),
    Object { id: String },
}

/// When money moved, where we asked for it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Moved {
    At { created: i64 },
    Id(#[expect(dead_code, reason = "tells one from the other")] String),
}

#[derive(Debug, Deserialize)]
pub(super) struct Session {
    pub id: String,
    pub url: Option<String>,
    pub status: Option<String>,
    pub client_reference_id: Option<String>,
    pub amount_total: Option<i64>,
    pub currency: Option<String>,
    pub payment_intent: Option<Ref>,
    pub invoice: Option<Ref>,
    pub subscription: Option<Ref>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Intent {
    pub id: String,
    pub latest_charge: Option<Charge>,
    pub last_payment_error: Option<Declined>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Declined {
    pub code: Option<String>,
    pub decline_code: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Charge {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub captured: bool,
    pub amount_captured: i64,
    pub currency: String,
    pub created: i64,
    pub balance_transaction: Option<Moved>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Refund {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    pub status: Option<String>,
    pub created: i64,
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub metadata: Option<HashMap<String, String>>,
    pub balance_transaction: Option<Moved>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Dispute {
    pub id: String,
    pub amount: i64,
    pub currency: String,
    pub status: String,
    pub created: i64,
    #[serde(default)]
    pub balance_transactions: Vec<Transaction>,
}

/// A line of their books, within a dispute.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction {
    pub amount: i64,
    pub created: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Invoice {
    pub id: String,
    pub total: i64,
    pub currency: String,
    pub parent: Option<Parent>,
    pub payments: Option<List<InvoicePayment>>,
    pub lines: Option<List<Line>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Parent {
    pub subscription_details: Option<SubscriptionDetails>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SubscriptionDetails {
    pub subscription: Option<Ref>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InvoicePayment {
    pub status: String,
    pub payment: InvoicePaymentBy,
}

#[derive(Debug, Deserialize)]
pub(super) struct InvoicePaymentBy {
    pub payment_intent: Option<Ref>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub period: Period,
}

#[derive(Debug, Deserialize)]
pub(super) struct Period {
    pub end: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Subscription {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub cancel_at_period_end: bool,
    pub items: List<Item>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Item {
    pub current_period_end: i64,
}

/// A line of their books.
#[derive(Debug, Deserialize)]
pub(super) struct BalanceTransaction {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub reporting_category: Option<String>,
    /// What arrives at us, in the currency of our account, which may be another one than the payer's.
    pub amount: i64,
    pub created: i64,
    pub source: Option<Value>,
}

/// An object that is handed on as it is.
#[derive(Debug, Deserialize)]
#[serde(from = "Value")]
pub(super) struct Raw(pub Value, String);

/// An answer that says no.
#[derive(Debug, Deserialize)]
pub(super) struct Reply {
    pub error: Refusal,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub code: Option<String>,
    pub message: Option<String>,
}

impl Ref {
    pub(super) fn into_id(self) -> String {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

impl Refund {
    /// Our id of it.
    pub(super) fn reference(&self) -> Option<&String> {
        self.metadata.as_ref()?.get("refund")
    }
}

impl From<Value> for Raw {
    fn from(value: Value) -> Self {
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        Self(value, id)
    }
}

impl Listed for Raw {
    fn id(&self) -> &str {
        &self.1
    }
}

macro_rules! listed {
    ($($name:ident),*) => {
        $(impl Listed for $name {
            fn id(&self) -> &str {
                &self.id
            }
        })*
    };
}

listed!(Refund, Dispute, Invoice, BalanceTransaction);

/// When something was, of seconds since 1970.
pub(super) fn time(seconds: i64) -> Result<DateTime<Utc>, ProviderError> {
    DateTime::from_timestamp(seconds, 0)
        .ok_or_else(|| ProviderError::Answer(format!("{seconds} is no time")))
}

/// When money moved; as long as it has not, when that was asked for.
pub(super) fn moved(
    transaction: Option<&Moved>,
    created: i64,
) -> Result<DateTime<Utc>, ProviderError> {
    match transaction {
        Some(Moved::At { created }) => time(*created),
        Some(Moved::Id(_)) | None => time(created),
    }
}

/// An amount as they write it: their minor units are those of ISO for all currencies that pages are opened in.
pub(super) fn money(amount: i64, currency: &str) -> Result<Money, ProviderError> {
    Currency::parse(&currency.to_ascii_uppercase())
        .map(|currency| Money::new(amount, currency))
        .ok_or_else(|| ProviderError::Answer(format!("{currency} is no currency")))
}
