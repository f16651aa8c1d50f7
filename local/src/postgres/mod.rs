//! The private PostgreSQL cluster: found, created, started, watched and stopped.
//!
//! It runs in the foreground as a child, listens on a Unix socket in a folder that only its user can enter, and shuts
//! down by itself when this process is killed.

/// Which PostgreSQL is installed.
mod binaries;
/// The data directory: its user, its place, its first start.
mod cluster;
/// What can go wrong, each in one line.
mod error;
/// The running server.
mod server;
/// A socket path that is short enough.
mod socket;

pub use binaries::Binaries;
pub use error::PostgresError;
pub use server::{Postgres, PostgresOptions};
