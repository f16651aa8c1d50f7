//! The harness of the end-to-end and fault tests: the real stack, with a database per test and the real worker binary.

/// CloudFront as far as players meet it.
pub mod cdn;
/// Clips that ffmpeg draws, made once.
mod clip;
/// A PostgreSQL cluster of one test, which may crash it.
mod cluster;
/// A collector of OpenTelemetry traces.
pub mod collector;
/// The command line.
mod command;
/// A database per test, copied from a template.
mod database;
/// Videos without the API, for tests of workers alone.
mod direct;
/// Finding videos among very many.
pub mod discovery;
/// A place in the database where a job can be stopped.
mod gate;
/// Programs that `deploy/install-deps.sh` puts in the cache folder.
mod installed;
/// Everything as processes that can be killed.
mod machines;
/// What ffprobe says of segments.
pub mod media;
/// A MediaConvert that misbehaves when told to.
pub mod mediaconvert;
/// What players that others wrote make of a playlist.
pub mod parsers;
/// Somebody with an account.
pub mod person;
/// Watching by HTTP.
mod player;
/// Playlists as a player reads them.
pub mod playlist;
/// The machine's processes, by what /proc says.
pub mod processes;
/// The real binaries as processes.
pub mod program;
/// A wire that can be cut.
pub mod proxy;
/// The settings that api and workers of a test share.
mod settings;
/// An SMTP server that misbehaves when told to.
pub mod smtp;
/// The relay's clients.
pub mod socket;
/// Everything that runs for one test.
mod stack;
/// The S3 server of a test, and what lies in it.
pub mod store;
/// Waiting for what must come true, with a deadline.
mod wait;
/// Worker processes.
mod worker;

pub use clip::{Clip, padded};
pub use command::Said;
pub use direct::Film;
pub use gate::Gate;
pub use installed::installed;
pub use machines::{Machines, MachinesOptions, free_port};
pub use person::Person;
pub use player::{Fetched, Player, Rendition};
pub use program::Program;
pub use socket::{Memory, Socket};
pub use stack::{Stack, StackOptions};
pub use wait::{until, within};
pub use worker::{Exit, Worker};
