//! Amounts: integers in the minor unit of their currency. Nothing about money is a float.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Currency;

/// An amount of a currency, in its minor unit (cents).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Money {
    pub amount: i64,
    pub currency: Currency,
}

impl Money {
    /// So many minor units.
    pub const fn new(amount: i64, currency: Currency) -> Self {
        Self { amount, currency }
    }

    /// That of two columns; none of a currency that does not exist.
    pub(super) fn of_columns(amount: i64, currency: &str) -> Option<Self> {
        Currency::parse(currency).map(|currency| Self { amount, currency })
    }

    /// Both together; none if the currencies differ or it is more than fits.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_add(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }

    /// What is left without `other`; none if the currencies differ or it is less than fits.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let amount = self.amount.checked_sub(other.amount)?;
        (self.currency == other.currency).then_some(Self { amount, ..self })
    }

    /// So many of each 10,000 of it, rounded down: what is left over belongs to the other side. Of an amount from 0 on.
    pub fn share(self, bps: i32) -> Self {
        let bps = i128::from(bps.clamp(0, 10_000));
        let part = i128::from(self.amount.max(0)) * bps / 10_000;
        Self {
            amount: i64::try_from(part).expect("a part is no more than the whole"),
            ..self
        }
    }
}

/// For logs: 99.00 TWD. People read what their browser makes of it.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.amount < 0 { "-" } else { "" };
        let digits = usize::from(self.currency.exponent());
        let units = self.amount.unsigned_abs();
        let one = 10_u64.pow(u32::from(self.currency.exponent()));
        write!(f, "{sign}{}", units / one)?;
        if digits > 0 {
            write!(f, ".{:0digits$}", units % one)?;
        }
        write!(f, " {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(amount: i64, code: &str) -> Money {
        Money::new(amount, Currency::parse(code).unwrap())
    }

    #[test]
    fn amounts_are_written_by_the_digits_of_their_currency() {
        for (amount, code, text) in [
            (9_900, "TWD", "99.00 TWD"),
            (5, "USD", "0.05 USD"),
            (-105, "USD", "-1.05 USD"),
            (500, "JPY", "500 JPY"),
            (1_234, "KWD", "1.234 KWD"),
            (i64::MIN, "JPY", "-9223372036854775808 JPY"),
        ] {
            assert_eq!(of(amount, code).to_string(), text);
        }
    }

    #[test]
    fn what_does_not_fit_together_is_no_amount() {
        assert_eq!(of(1, "TWD").checked_add(of(1, "USD")), None);
        assert_eq!(of(1, "TWD").checked_sub(of(1, "USD")), None);
        assert_eq!(of(i64::MAX, "TWD").checked_add(of(1, "TWD")), None);
        assert_eq!(of(i64::MIN, "TWD").checked_sub(of(1, "TWD")), None);
    }

    proptest! {
        #[test]
        fn adding_and_taking_away_leads_back(a in any::<i32>(), b in any::<i32>()) {
            let (a, b) = (of(a.into(), "TWD"), of(b.into(), "TWD"));
            prop_assert_eq!(a.checked_add(b).and_then(|sum| sum.checked_sub(b)), Some(a));
        }

        #[test]
        fn a_share_is_no_more_than_the_whole_and_grows_with_it(
            amount in 0_i64..=i64::MAX - 1, more in 0_i64..1_000, bps in 0_i32..=10_000,
        ) {
            let whole = of(amount, "TWD");
            let share = whole.share(bps);
            prop_assert!((0..=amount).contains(&share.amount));
            prop_assert!(of(amount.saturating_add(more), "TWD").share(bps).amount >= share.amount);
            prop_assert_eq!(whole.share(0).amount, 0);
            prop_assert_eq!(whole.share(10_000).amount, amount);
        }

        /// Given back in any pieces, the shares of the pieces add up to that of the whole, to the unit.
        #[test]
        fn shares_of_what_is_given_back_bit_by_bit_add_up(
            pieces in proptest::collection::vec(1_i64..100_000, 1..20), bps in 0_i32..=10_000,
        ) {
            let (mut before, mut sum) = (0, 0);
            for piece in &pieces {
                let after = before + piece;
                sum += of(after, "TWD").share(bps).amount - of(before, "TWD").share(bps).amount;
                before = after;
            }
            prop_assert_eq!(sum, of(before, "TWD").share(bps).amount);
        }
    }
}
