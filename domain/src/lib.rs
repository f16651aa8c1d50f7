//! What exists in Millrace: accounts, uploads, videos; their records and SQL; the gateways to S3 and the transcoder.

/// People, their sessions, throttles and socket tickets.
pub mod accounts;
/// Captions: read, checked, written anew.
pub mod captions;
/// Typed ids of everything.
pub mod ids;
/// Probe, plan, encode and playlists.
pub mod media;
/// The schema, brought up to date under a lock.
mod migrate;
/// Objects in S3.
pub mod storage;
/// What nothing needs any more.
pub mod sweeps;
/// Files on their way in.
pub mod uploads;
/// Videos, their renditions, chunks, segments and live view.
pub mod videos;

pub use migrate::migrate;
