//! Captions: what people upload is read cue by cue, refused with the line that is wrong, and written anew as WebVTT.

/// Cues, and how they are written.
mod cue;
/// What is wrong, and where.
mod error;
/// Languages of tracks.
mod language;
/// Reading WebVTT and SubRip.
mod read;
/// Tracks of videos.
mod record;

pub use cue::{Cue, render};
pub use error::{CaptionError, Fault};
pub use language::language;
pub use read::{MOST_BYTES, MOST_CUES, read};
pub use record::{
    CaptionTrack, MOST_TRACKS, Put, Track, caption_text, change, delete, put, tracks,
};
