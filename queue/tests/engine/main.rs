//! The engine against a real PostgreSQL: a fresh database per test, made from a template.

/// Answers that the database does not take at once.
mod answers;
/// Lists of jobs, and counts of endings.
mod browse;
/// One action on all jobs of a filter.
mod bulk;
/// Cancelling, from anywhere.
mod cancel;
/// Committing an effect together with the completion.
mod complete;
/// How workers stop, and start.
mod drain;
/// Bad rows among good ones.
mod each;
/// Why jobs are not running.
mod explain;
/// What is listed and counted by a filter.
mod filter;
/// What all workers together can do.
mod fleet;
/// Dependencies, on_failure, unique keys.
mod graph;
/// Groups with a callback, and chains.
mod group;
/// Databases, workers and kinds for tests.
mod harness;
/// How long finished jobs are kept.
mod keep;
/// Those who ask for a key that a job has, and those who end that job.
mod key_order;
/// Leases, and faults of the database.
mod lease;
/// Random graphs with random fates.
mod lifecycle;
/// Limits, rates, fairness and pauses.
mod limits;
/// Lines that runs write for people.
mod log;
/// What is counted.
mod metrics;
/// Random operations beside a model of them.
mod model;
/// What workers tell each other by NOTIFY.
mod notify;
/// How runs end.
mod outcome;
/// What explanations are made of.
mod reasons;
/// Jobs on both sides of a job.
mod relatives;
/// The jobs of workers that are gone.
mod rescue;
/// How long finished jobs are kept.
mod retention;
/// Schedules at run time.
mod roster;
/// Jobs that come round by the clock.
mod schedule;
/// The helpers that applications test with.
mod testing;
/// One trace over jobs and their children.
#[cfg(feature = "opentelemetry")]
mod trace;
/// Unique keys, and enqueueing from SQL.
mod unique;
/// Finding work: order, wake-ups, concurrency.
mod work;
