//! What nothing needs any more: objects without rows, and the record of how they were swept.

/// Where an object lies, read from its key.
mod key;
/// Which objects a row names.
mod named;
/// The row of a sweep.
mod record;

pub use key::Place;
pub use named::{below_doomed, doomed, doomed_count, named};
pub use record::{LastSweep, Sweep, Tally, last};
