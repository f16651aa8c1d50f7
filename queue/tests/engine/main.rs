//! The engine against a real PostgreSQL: a fresh database per test, made from a template.

/// Lists of jobs, and counts of endings.
mod browse;
/// Cancelling, from anywhere.
mod cancel;
/// Committing an effect together with the completion.
mod complete;
/// Why jobs are not running.
mod explain;
/// Dependencies, on_failure, unique keys.
mod graph;
/// Groups with a callback, and chains.
mod group;
/// Databases, workers and kinds for tests.
mod harness;
/// Those who ask for a key that a job has, and those who end that job.
mod key_order;
/// Leases, rescue, drain, faults.
mod lease;
/// Random graphs with random fates.
mod lifecycle;
/// Limits, rates, fairness and pauses.
mod limits;
/// Lines that runs write for people.
mod log;
/// Random operations beside a model of them.
mod model;
/// How runs end.
mod outcome;
/// How long finished jobs are kept.
mod retention;
/// Schedules at run time.
mod roster;
/// Jobs that come round by the clock.
mod schedule;
/// The helpers that applications test with.
mod testing;
/// Unique keys, and enqueueing from SQL.
mod unique;
/// Finding work: order, wake-ups, concurrency.
mod work;
