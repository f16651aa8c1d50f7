//! The engine against a real PostgreSQL: a fresh database per test, made from a template.

/// Cancelling, from anywhere.
mod cancel;
/// Committing an effect together with the completion.
mod complete;
/// Dependencies, on_failure, unique keys.
mod graph;
/// Databases, workers and kinds for tests.
mod harness;
/// Leases, rescue, drain, faults.
mod lease;
/// Random graphs with random fates.
mod lifecycle;
/// Limits, rates, fairness and pauses.
mod limits;
/// What operators do and see.
mod operate;
/// How runs end.
mod outcome;
/// What explanations are made of.
mod reasons;
/// Jobs on both sides of a job.
mod relatives;
/// Jobs that come round by the clock.
mod schedule;
/// Unique keys, and enqueueing from SQL.
mod unique;
/// Finding work: order, wake-ups, concurrency.
mod work;
