//! A job queue over PostgreSQL: enqueue, claim, lease, run, acknowledge.
#![doc = include_str!("../README.md")]
//! ## How it works
//!
//! A job is a row of the hot table until it ends, and a row of the history after. The lifecycle is SQL
//! (`migrations/queue`); this crate carries it out, hosted by apalis: one worker per queue, fed by one claimer.
//! Delivery is at least once, and every write of a worker is fenced by the token of its claim.

/// Tells the database how runs ended, in batches, until it accepts.
mod acknowledge;
/// The answer to a claim, and the duty to give one.
mod answer;
/// Our backend of apalis, one per queue.
mod backend;
/// How long a failed job waits.
mod backoff;
/// Pages through jobs.
mod browse;
/// One action on all jobs of a filter, as a job.
mod bulk;
/// Claims work for all queues in one statement.
mod claim;
/// Commits an effect together with the completion.
mod complete;
/// Pauses and limits, switched by operators.
mod control;
/// The dependencies of jobs that are being inserted.
mod dependency;
/// The way out of a worker.
mod drain;
/// Inserts what can be inserted, and says what is wrong with the rest.
mod each;
/// A worker process, from start to drained.
mod engine;
/// Inserts jobs in the caller's transaction.
mod enqueue;
/// Runs one claimed job.
mod execute;
/// Why a job is not running.
mod explain;
/// The statements that claim.
mod fetch;
/// Which jobs are meant.
mod filter;
/// Reads one job.
mod find;
/// What all workers together are doing.
mod fleet;
mod hand_out;
/// The id of a job.
mod id;
/// The statements that insert jobs.
mod insert;
/// A job that is not enqueued yet.
mod job;
/// How long finished jobs are kept.
mod keep;
/// Who gets a unique key.
mod keys;
/// A kind: name and policy.
mod kind;
/// Keeps leases alive and finds lost ones.
mod lease;
/// Limits of keys.
mod limit;
/// A database connection of one loop.
mod link;
/// Lines that runs write for people.
mod log;
/// Partitions, retention, sweeps.
mod maintain;
/// What is counted of jobs.
mod meter;
/// The schema.
mod migrate;
/// Mistakes on purpose, for the fault harness.
#[cfg(not(feature = "mutants"))]
mod mutant;
/// Mistakes on purpose, for the fault harness.
#[cfg(feature = "mutants")]
pub mod mutant;
/// How a run ends.
mod outcome;
/// Progress of running jobs.
mod progress;
/// The kinds that a worker runs.
mod registry;
/// The jobs that a job waited for, and those that waited for it.
mod relatives;
/// Takes back the jobs of dead workers.
mod rescue;
/// Schedules at run time.
mod roster;
/// One run, as its handler sees it.
mod run;
/// What waits, for metrics.
mod sample;
/// Jobs that come round by the clock.
mod schedule;
/// The free places of each queue.
mod slots;
/// Jobs from JSON.
mod spec;
/// The states of a job.
mod state;
/// Cancel, retry, discard.
mod steer;
/// Helpers for the tests of applications.
#[cfg(feature = "testing")]
pub mod testing;
/// Fires schedules.
mod tick;
/// The claims this process holds.
mod ticket;
/// Cron patterns in time zones.
mod timetable;
/// The trace that a job belongs to.
mod trace;
/// Unique keys.
mod unique;
/// What can be stored.
mod validate;
/// What to tell others after a commit.
mod wake;

pub use backoff::Backoff;
pub use browse::{JobSummary, jobs};
pub use bulk::{Bulk, BulkAction, BulkCount, BulkResult};
pub use control::{
    Switched, limit_kind, limit_queue, pause_kind, pause_queue, resume_kind, resume_queue,
};
pub use dependency::wait_also;
pub use drain::Drained;
pub use each::{EnqueuedEach, enqueue_each};
pub use engine::{Engine, EngineOptions};
pub use enqueue::{EnqueueError, Enqueued, EnqueuedAll, Placed, enqueue, enqueue_all};
pub use explain::{Reason, explain};
pub use filter::JobFilter;
pub use find::{JobRow, find};
pub use fleet::{group_is_live, is_known_kind, is_known_queue, live_groups, live_slots};
pub use id::JobId;
pub use job::{FailureNote, NewJob};
pub use keep::{KeepError, Retention, keep, retentions};
pub use kind::Kind;
pub use limit::Limit;
pub use log::LogLine;
pub use maintain::maintain;
pub use migrate::{migrate, migrator};
pub use outcome::{Done, Failure, OrOutcome, Outcome};
pub use progress::Progress;
pub use registry::Registry;
pub use relatives::{Relative, Relatives, children, parents};
pub use rescue::{Rescued, rescue};
pub use roster::{
    ScheduleChange, ScheduleError, ScheduleRow, change_schedule, run_schedule, schedules,
};
pub use run::{LeaseError, Run};
pub use schedule::{CatchUp, Schedule};
pub use slots::Holds;
pub use spec::{JobOptions, JobSpec, UniqueMode, UnknownKind, jobs_of};
pub use state::{State, UnknownState};
pub use steer::{
    CancelAnswer, CancelState, CancelledGroup, Steered, cancel_group, discard, request_cancel,
    request_cancel_within, retry,
};
pub use ticket::CancelReason;
pub use trace::{TRACE_TARGET, trace_id};
pub use unique::{Scope, UniqueKey};
pub use validate::{MAX_ARGS, check_args};
pub use wake::{CANCEL, WORK, Wake};
