//! The embedded stack of local mode, so that one command runs everything on one machine.

/// The unprivileged users that PostgreSQL and ffmpeg run as under root.
pub mod account;
/// Where state is kept.
pub mod place;
/// The private PostgreSQL cluster.
pub mod postgres;
/// The S3-protocol server.
pub mod s3;
