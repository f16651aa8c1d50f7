//! Search: videos and channels by words, in any language, misspelt too; and what is suggested while somebody types.
//!
//! What is searched lies in tables of its own (`0032_search.sql` says why), which triggers keep.

/// Channels by name.
mod channels;
/// Videos by words.
mod find;
/// What somebody typed, as the index wants it.
mod question;
/// What is suggested while somebody types.
mod suggest;
/// What filters ask of a video.
mod traits;
/// How many videos say a word, and what a misspelt one may mean.
mod words;

pub use channels::{FoundChannel, channels};
pub use find::{Found, SearchFilter, SearchSort, find};
pub use question::LONGEST;
pub use suggest::{MOST_SUGGESTIONS, Suggestion, suggest};
pub use traits::{Fineness, Length};
pub use words::count_words;
