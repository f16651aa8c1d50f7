//! Currencies by ISO 4217.

use std::{fmt, str::FromStr as _};

use iso_currency::Currency as Iso;
use serde::{Deserialize, Serialize};

/// A currency that exists and that things can be priced in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(Iso);

/// That three letters are no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no currency has this code")]
pub struct UnknownCurrency;

impl Currency {
    /// That of three capital letters; none for what does not exist, and for metals and test codes, which have no minor unit.
    pub fn parse(code: &str) -> Option<Self> {
        let iso = Iso::from_str(code).ok()?;
        iso.exponent().map(|_| Self(iso))
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many digits the minor unit takes: 2 for the dollar, 0 for the yen, 3 for the dinar.
    pub fn exponent(self) -> u8 {
        self.0
            .exponent()
            .and_then(|digits| u8::try_from(digits).ok())
            .unwrap_or_default()
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        Self::parse(&code).ok_or(UnknownCurrency)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exists_and_has_a_minor_unit_is_a_currency() {
        for (code, digits) in [("TWD", 2), ("USD", 2), ("JPY", 0), ("KWD", 3)] {
            let currency = Currency::parse(code).unwrap();
            assert_eq!((currency.code(), currency.exponent()), (code, digits));
        }
        for code in ["", "twd", "TW", "TWDX", "ABC", "XAU", "XXX", "T\u{0}D"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }
}
