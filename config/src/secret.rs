//! A string that is never printed.

use std::fmt;

use serde::Deserialize;

/// A secret. Debug shows only whether it is set; [`Secret::expose`] is easy to find in a review.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Scalar")]
pub struct Secret(String);

/// Environment variables that look like numbers arrive as numbers; a secret may look like one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Text(String),
    Number(i128),
    Float(f64),
    Truth(bool),
}

impl From<Scalar> for Secret {
    fn from(scalar: Scalar) -> Self {
        Self(match scalar {
            Scalar::Text(s) => s,
            Scalar::Number(n) => n.to_string(),
            Scalar::Float(f) => f.to_string(),
            Scalar::Truth(b) => b.to_string(),
        })
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Secret {
    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing was configured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "unset" } else { "[secret]" })
    }
}
