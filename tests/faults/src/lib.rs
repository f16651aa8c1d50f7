//! Proof that the engine loses nothing: real processes, faults by seed, an audit, and a checker that reads it later.
//!
//! `README.md` of this package says what is proved, how to repeat a seed, and how to read a violation.

/// What the invariants make of the evidence.
pub mod check;
/// A cluster that may be crashed.
pub mod cluster;
/// Faults while there is work, then healing.
mod course;
/// A disk that can be full.
pub mod disk;
/// What the checker reads.
pub mod evidence;
/// Workers and the enqueuer, behind their proxies.
mod fleet;
/// The kinds of job.
pub mod kinds;
/// The jobs of a client.
pub mod load;
/// Mutants of the engine.
pub mod mistake;
/// PgBouncer on the way.
mod pooler;
/// Programs and signals.
pub mod process;
/// Wires that can be cut.
pub mod proxy;
/// What processes write down.
pub mod record;
/// Results, their file and their table.
pub mod results;
/// The rows of the matrix.
pub mod row;
/// Clocks that are wrong.
mod skew;
/// A machine without time.
pub mod stall;
/// One seed of one row.
pub mod trial;
