//! The kinds of jobs. What they do is in the worker.

use millrace_queue::{Kind, NewJob};
use serde::{Deserialize, Serialize};

/// The queue of all of them.
pub(crate) const QUEUE: &str = "bench";

/// The family of limit keys.
pub(crate) const TENANT: &str = "tenant";
/// Jobs of one key at the same time.
pub(crate) const AT_ONCE: u32 = 10;

/// Does nothing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Noop {
    pub(crate) id: i64,
}

/// Waits 5 ms.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pause {
    pub(crate) id: i64,
}

/// Says when it was started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) id: i64,
}

/// Commits a row of its own together with its completion.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Effect {
    pub(crate) id: i64,
}

impl Kind for Noop {
    const KIND: &'static str = "noop";
    const QUEUE: &'static str = QUEUE;
}

impl Kind for Pause {
    const KIND: &'static str = "pause";
    const QUEUE: &'static str = QUEUE;
}

impl Kind for Stamp {
    const KIND: &'static str = "stamp";
    const QUEUE: &'static str = QUEUE;
}

impl Kind for Effect {
    const KIND: &'static str = "effect";
    const QUEUE: &'static str = QUEUE;
}

impl Noop {
    pub(crate) fn job(id: i64) -> NewJob {
        NewJob::new(&Self { id })
    }
}

impl Stamp {
    pub(crate) fn job(id: i64) -> NewJob {
        NewJob::new(&Self { id })
    }
}
