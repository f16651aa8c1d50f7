//! What exists in Millrace: accounts, uploads, videos; their records and SQL; the gateways to S3 and the transcoder.

/// People, their sessions, throttles and socket tickets.
pub mod accounts;
/// Who of staff did what.
pub mod audit;
/// What all clients of AWS have in common.
mod aws;
/// Values that were computed, shared by all processes.
pub mod cache;
/// Captions: read, checked, written anew.
pub mod captions;
/// Creators as others see them.
pub mod channels;
/// What people write below videos.
pub mod comments;
/// Mail: what is said, in which words, and the gateway to an SMTP server.
pub mod email;
/// Who follows whom.
pub mod follows;
/// What somebody watched, and where they stopped.
pub mod history;
/// Typed ids of everything.
pub mod ids;
/// The invoice of an order.
pub mod invoice;
/// Pages by keyset.
pub mod keyset;
/// Likes of videos.
pub mod likes;
/// Probe, plan, encode and playlists.
pub mod media;
/// AWS Elemental MediaConvert: what is asked of it, and what became of it.
pub mod mediaconvert;
/// The schema, brought up to date under a lock.
mod migrate;
/// Cases, decisions and appeals.
pub mod moderation;
/// What people are told of.
pub mod notifications;
/// Orders, what providers say of them, the ledger, and what was paid for.
pub mod payments;
/// Playlists, and what to watch later.
pub mod playlists;
/// What somebody may like.
pub mod recommend;
/// Videos that go with one.
pub mod related;
/// Reports of what breaks rules.
pub mod reports;
/// Videos and channels by words.
pub mod search;
/// Objects in S3.
pub mod storage;
/// What nothing needs any more.
pub mod sweeps;
/// What many watch these days.
pub mod trending;
/// Files on their way in.
pub mod uploads;
/// Videos, their renditions, chunks, segments and live view.
pub mod videos;
/// What a person is to a video.
pub mod viewers;
/// Who watched what, counted once.
pub mod views;

pub use migrate::migrate;
