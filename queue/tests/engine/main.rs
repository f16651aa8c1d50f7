//! The engine against a real PostgreSQL: a fresh database per test, made from a template.

/// One action on all jobs of a filter.
mod bulk;
/// Cancelling, from anywhere.
mod cancel;
/// Committing an effect together with the completion.
mod complete;
/// Bad rows among good ones.
mod each;
/// What is listed and counted by a filter.
mod filter;
/// What all workers together can do.
mod fleet;
/// Dependencies, on_failure, unique keys.
mod graph;
/// Databases, workers and kinds for tests.
mod harness;
/// How long finished jobs are kept.
mod keep;
/// Leases, rescue, drain, faults.
mod lease;
/// Random graphs with random fates.
mod lifecycle;
/// Limits, rates, fairness and pauses.
mod limits;
/// What is counted.
mod metrics;
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
/// One trace over jobs and their children.
#[cfg(feature = "opentelemetry")]
mod trace;
/// Unique keys, and enqueueing from SQL.
mod unique;
/// Finding work: order, wake-ups, concurrency.
mod work;
