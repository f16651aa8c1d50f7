//! The states of an order.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where an order stands.
///
/// Whatever a provider says of money wins over what we thought: an order that we let expire and that was paid all the same
/// is paid. Without money, an end is an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentStatus)]
pub enum Status {
    /// It is written down; nobody can pay yet.
    Created,
    /// There is a page to pay on.
    Pending,
    Paid,
    PartiallyRefunded,
    Refunded,
    /// The payer gave up.
    Canceled,
    /// Nobody paid in time.
    Expired,
    /// It was declined for good.
    Failed,
    /// The payer says at their bank that they did not pay; the money is held back, or lost.
    Disputed,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Created,
        Self::Pending,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Canceled,
        Self::Expired,
        Self::Failed,
        Self::Disputed,
    ];

    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Disputed => "disputed",
        }
    }

    /// The state with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Whether it can still be paid or given up.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Created | Self::Pending)
    }

    /// Whether money was taken at some time.
    pub const fn has_money(self) -> bool {
        matches!(
            self,
            Self::Paid | Self::PartiallyRefunded | Self::Refunded | Self::Disputed
        )
    }

    /// Whether an order may go from here to there; to stay is no step and always allowed.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (this, next) if this == next => true,
            (_, next) if next.has_money() => true,
            (Self::Created, next) => next != Self::Created,
            (Self::Pending, Self::Canceled | Self::Expired | Self::Failed) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_their_states() {
        for status in Status::ALL {
            assert_eq!(Status::of_word(status.word()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.word());
        }
        assert_eq!(Status::of_word("Paid"), None);
    }

    #[test]
    fn money_is_never_forgotten_and_ends_stay_ends() {
        for from in Status::ALL {
            for to in Status::ALL {
                if from.has_money() && !to.has_money() {
                    assert!(!from.may_become(to), "{from:?} -> {to:?}");
                }
                if to.has_money() {
                    assert!(from.may_become(to), "{from:?} -> {to:?}");
                }
                if from != to && to == Status::Created {
                    assert!(!from.may_become(to));
                }
            }
        }
        for end in [Status::Canceled, Status::Expired, Status::Failed] {
            assert!(!end.may_become(Status::Pending));
            assert!(Status::Pending.may_become(end));
        }
    }
}
