//! Amounts: integers in the minor unit of their currency. Nothing about money is a float.

use serde::{Deserialize, Serialize};

use super::Currency;

/// An amount of a currency, in its minor unit (cents).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub amount: i64,
    pub currency: Currency,
}

impl Money {
    /// An amount.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }
}
