//! Currencies by ISO 4217.

use serde::{Deserialize, Serialize};

/// A currency that exists, by its three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);
