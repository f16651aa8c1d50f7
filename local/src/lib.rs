//! The embedded stack of local mode, so that one command runs everything on one machine.

/// The unprivileged users that PostgreSQL and ffmpeg run as under root.
pub mod account;
/// PostgreSQL and the storage server together, and the settings that lead to them.
pub mod foundation;
/// The SMTP sink and its mailbox.
pub mod mail;
/// Where state is kept.
pub mod place;
/// The ports, which follow from one.
pub mod ports;
/// The private PostgreSQL cluster.
pub mod postgres;
/// The S3-protocol server.
pub mod s3;
/// The payment sandbox.
pub mod sandbox;
/// Secrets of one installation.
pub mod secrets;
