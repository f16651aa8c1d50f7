//! AWS Elemental MediaConvert: the other way from a plan to a ladder. Workers' ffmpeg makes a ladder in chunks and announces
//! each segment; MediaConvert takes the whole file, works for minutes or hours somewhere else, and leaves manifests.
//! So it is no job that waits in a slot: it is a row ([`Intent`]) that jobs look after.
//!
//! The walk: [`Intent::begin`] before anything is asked, [`request()`] says what is asked, [`MediaConvert`] asks,
//! [`Intent::hear`] takes what they say, [`Outputs`] says where they write, and [`Manifest`] reads what they wrote.

/// Asks, looks, cancels.
mod client;
/// What EventBridge brings.
mod event;
/// What was asked for, and what became of it.
mod intent;
/// The playlists that they write.
mod manifest;
/// Where they write.
mod outputs;
/// What is asked for.
mod request;
/// What they say went wrong, in our words.
mod trouble;
/// The protocol.
#[cfg(test)]
mod wire_tests;

pub use client::{Ask, ConvertError, MediaConvert, MediaConvertOptions, Seen};
pub use event::Event;
pub use intent::{Intent, JobStatus, forget_old, is_writing, silent};
pub use manifest::{Listed, Manifest, ManifestError};
pub use outputs::{FOLDER, Outputs};
pub use request::{Order, request};
pub use trouble::trouble;
