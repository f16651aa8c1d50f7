//! What people are told of, in the web application and by mail, and what they want to be told of.

/// The kinds of news, and who hears of them unless they say otherwise.
mod kind;
/// What a person wants to be told of, and how.
mod preference;

pub use kind::{Channel, Kind};
pub use preference::{Preference, preferences, set_preference, wants};
