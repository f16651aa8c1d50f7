//! A kind of job: its name and its policy.

use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::Backoff;

/// What a payload type says about itself. The policy is copied to each job when it is enqueued.
pub trait Kind: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stable name stored with each job. Never rename it with jobs queued: add the old name to `ALIASES`.
    const KIND: &'static str;
    /// The queue its jobs go to unless the job says otherwise.
    const QUEUE: &'static str;
    /// Former names that are still run.
    const ALIASES: &'static [&'static str] = &[];
    /// How many runs may fail before the job is discarded.
    const MAX_ATTEMPTS: u16 = 20;
    /// How many runs may end with their worker before the job is quarantined.
    const MAX_CRASHES: u16 = 3;
    /// How many of its jobs may run at the same time, over all workers. An operator may change it.
    const MAX_RUNNING: Option<u32> = None;
    /// Smaller runs first.
    const PRIORITY: i16 = 0;
    /// How long one run may take.
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);
    /// How long a failed job waits.
    const BACKOFF: Backoff = Backoff::DEFAULT;
}
