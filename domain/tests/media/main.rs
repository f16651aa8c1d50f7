//! The media core against real ffmpeg, on clips made on the spot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// Storyboards and pictures.
mod boards;
/// Stops and leftovers.
mod cancel;
/// Chunks and the grid.
mod chunks;
/// Copies of what needs no encoding.
mod copies;
/// Files that point elsewhere.
mod lures;
/// A clip of every kind, all the way to playlists.
mod matrix;
/// Damaged files by the hundred.
mod mutants;
/// Bad files.
mod refusals;
/// Unusual pictures.
mod shapes;
/// The audio rendition.
mod sound;
/// Clips, a transcoder, and what it made.
mod stage;
