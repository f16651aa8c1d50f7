//! What people are told of, in the web application and by mail, and what they want to be told of.

/// Who follows a creator, in batches.
mod followers;
/// The kinds of news, and who hears of them unless they say otherwise.
mod kind;
/// What a person was told, and what of it they have seen.
mod list;
/// Telling: one person, or a batch of followers.
mod notice;
/// What a person wants to be told of, and how.
mod preference;

pub use followers::followers_after;
pub use kind::{Channel, Kind};
pub use list::{MOST_UNREAD, Notification, list, mark_all_read, mark_read, unread};
pub use notice::{Notice, Told, notify, notify_all};
pub use preference::{Preference, preferences, set_preference, wants};
