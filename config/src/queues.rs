//! Queues with their slots.

use serde::{Deserialize, Deserializer, de::Error as _};

/// Queues with their slots, in the order given: `media=2,default=8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues(pub Vec<(String, u16)>);

impl std::str::FromStr for Queues {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut queues: Vec<(String, u16)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, slots) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not of the form queue=slots"))?;
            let slots = slots
                .trim()
                .parse()
                .ok()
                .filter(|&n| n > 0)
                .ok_or_else(|| format!("`{part}`: slots must be a number from 1 to 65535"))?;
            let name = name.trim();
            if name.is_empty() || queues.iter().any(|(q, _)| q == name) {
                return Err(format!(
                    "`{part}`: every queue needs a name and may be named once"
                ));
            }
            queues.push((name.to_owned(), slots));
        }
        if queues.is_empty() {
            return Err("at least one queue=slots is needed".to_owned());
        }
        Ok(Self(queues))
    }
}

impl<'de> Deserialize<'de> for Queues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
