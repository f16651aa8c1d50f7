//! Currencies by ISO 4217.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A currency that exists, by its three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of these three capital letters, if there is one that is paid with.
    pub fn parse(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        currency.exponent()?;
        code.as_bytes().try_into().ok().map(Self)
    }

    /// Its three letters.
    pub fn code(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// How many decimals its amounts are shown with.
    pub fn exponent(&self) -> u8 {
        iso_currency::Currency::from_code(self.code())
            .and_then(|currency| currency.exponent())
            .and_then(|exponent| exponent.try_into().ok())
            .unwrap_or_default()
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::parse(&code).ok_or("no currency of ISO 4217")
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
