//! What nothing needs any more: objects without rows, rows past their time.

/// Rows past their time.
mod expired;
/// Where an object lies, read from its key.
mod key;
/// Which objects a row names.
mod named;
/// The row of a sweep.
mod record;

pub use expired::{Expired, sweep_expired};
pub use key::Place;
pub use named::{below_doomed, doomed, doomed_count, named};
pub use record::{LastSweep, Sweep, Tally, last};
