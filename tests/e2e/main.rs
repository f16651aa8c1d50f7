//! Journeys and faults over the real stack. Run them with `make test`, or `with_postgres -- cargo test -p millrace-tests`
//! after `cargo build --workspace`.

/// The web application in a real browser.
mod browser;
/// Cancel and retry.
mod cancel;
/// What is watched while the ladder is made.
mod copies;
/// Workers that die, freeze, or are told to go.
mod crash;
/// How bytes reach players.
mod delivery;
/// Finding videos among many.
mod discovery;
/// Mail and servers that do not want it.
mod email;
/// People who leave, and those who take a copy.
mod farewell;
/// A creator with very many followers.
mod followers;
/// What nobody should send.
mod garbage;
/// Every frame on the grid.
mod grid;
/// The rules that the crates keep.
mod house;
/// Folders that are imported.
mod import;
/// Everything that happens to machines while videos are made.
mod interruption;
/// The command line for jobs.
mod jobs;
/// An upload's way to a video that plays.
mod journey;
/// Workers that die in the middle of a job that goes on step by step.
mod killed;
/// Every kind of input in a browser.
mod kinds;
/// Ladders that MediaConvert makes.
mod mediaconvert;
/// Suspensions that end by themselves.
mod moderation;
/// Players that others wrote.
mod parsers;
/// Orders over the whole stack, against the payment sandbox.
mod payments;
/// The pipeline without the API.
mod pipeline;
/// Progress as it is shown.
mod realtime;
/// What is refused, and how.
mod refusal;
/// An upload whose client died.
mod resume;
/// The rules of HLS over HTTP.
mod rules;
/// Machines that run out of something.
mod scarce;
/// Workers that lack something at start.
mod startup;
/// What creators do.
mod studio;
/// Objects that no row names.
mod sweep;
/// One trace across processes.
mod trace;
/// Uploads that are interrupted, ended, or left.
mod uploads;
