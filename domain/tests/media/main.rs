//! The media core against real ffmpeg, on clips made on the spot.

/// Stops and leftovers.
mod cancel;
/// Chunks and the grid.
mod chunks;
/// Bad files.
mod refusals;
/// Unusual pictures.
mod shapes;
/// The audio rendition.
mod sound;
/// Clips, a transcoder, and what it made.
mod stage;
