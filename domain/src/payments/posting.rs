//! Postings of the ledger: why money moved, and from where to where.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Cause, Currency};
use crate::ids::UserId;

/// Where money lies or to whom it is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = LedgerAccount)]
pub enum Account {
    /// With the provider.
    Clearing,
    /// Owed to a creator.
    Creator,
    /// Ours.
    House,
}

/// One side of a posting: debits are positive, credits negative.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub account: Account,
    /// Of a creator's account: whose.
    pub owner_id: Option<UserId>,
    /// In the minor unit of the posting's currency; never 0.
    pub amount: i64,
}

/// A posting that is to be written. Its lines add up to nothing, which the database checks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPosting {
    pub key: String,
    pub cause: Cause,
    pub currency: Currency,
    /// When it happened at the provider.
    pub occurred_at: DateTime<Utc>,
    pub lines: Vec<Line>,
}

impl Account {
    /// The word as columns spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Clearing => "clearing",
            Self::Creator => "creator",
            Self::House => "house",
        }
    }

    /// The account with this word.
    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Clearing, Self::Creator, Self::House]
            .into_iter()
            .find(|account| account.word() == word)
    }
}

impl Line {
    pub(super) const fn clearing(amount: i64) -> Self {
        Self {
            account: Account::Clearing,
            owner_id: None,
            amount,
        }
    }

    pub(super) const fn creator(owner: UserId, amount: i64) -> Self {
        Self {
            account: Account::Creator,
            owner_id: Some(owner),
            amount,
        }
    }

    pub(super) const fn house(amount: i64) -> Self {
        Self {
            account: Account::House,
            owner_id: None,
            amount,
        }
    }
}

impl Cause {
    /// The word as columns and keys spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Refund => "refund",
            Self::RefundFailed => "refund_failed",
            Self::Dispute => "dispute",
            Self::DisputeWon => "dispute_won",
        }
    }

    /// The cause with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [
            Self::Capture,
            Self::Refund,
            Self::RefundFailed,
            Self::Dispute,
            Self::DisputeWon,
        ]
        .into_iter()
        .find(|cause| cause.word() == word)
    }
}

/// What makes a posting once: the provider, its object, and what happened to it.
pub fn posting_key(provider: &str, object: &str, cause: Cause) -> String {
    format!("{provider}:{object}:{}", cause.word())
}
