//! The engine against a real PostgreSQL: a fresh database per test, made from a template.

/// Answers that the database does not take at once.
mod answers;
/// Lists of jobs, and counts of endings.
mod browse;
/// Cancelling, from anywhere.
mod cancel;
/// Committing an effect together with the completion.
mod complete;
/// How workers stop, and start.
mod drain;
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
/// Leases, and faults of the database.
mod lease;
/// Random graphs with random fates.
mod lifecycle;
/// Limits, rates, fairness and pauses.
mod limits;
/// Lines that runs write for people.
mod log;
/// Random operations beside a model of them.
mod model;
/// What workers tell each other by NOTIFY.
mod notify;
/// How runs end.
mod outcome;
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
/// Unique keys, and enqueueing from SQL.
mod unique;
/// Finding work: order, wake-ups, concurrency.
mod work;
