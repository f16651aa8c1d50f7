//! What to tell others once a transaction has committed.

use std::collections::BTreeSet;

use millrace_bus::{Hint, Notifier};

use crate::JobId;

/// The channel on which queues with new work are named.
pub const WORK: &str = "queue";
/// The channel on which running jobs are named that somebody wants cancelled or ended by force.
pub const CANCEL: &str = "queue_cancel";

/// Queues to wake, running jobs to cancel and topics to look at, fired **after** the commit: earlier, others would
/// look and see nothing. Who drops it makes them wait for their poll, at most a second.
#[derive(Debug, Default)]
#[must_use = "fire it after the commit, or workers wait for their poll"]
pub struct Wake {
    queues: BTreeSet<String>,
    cancels: BTreeSet<JobId>,
    hints: Vec<Hint>,
}

impl Wake {
    /// Nothing to tell.
    pub fn none() -> Self {
        Self::default()
    }

    /// Wakes the claimers of `queues`.
    pub fn queues(queues: impl IntoIterator<Item = String>) -> Self {
        Self {
            queues: queues.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(crate) fn cancel(&mut self, job: JobId) {
        self.cancels.insert(job);
    }

    pub(crate) fn queue(&mut self, queue: String) {
        self.queues.insert(queue);
    }

    pub(crate) fn queue_names(&self) -> impl Iterator<Item = &str> {
        self.queues.iter().map(String::as_str)
    }

    /// Adds what `other` tells; a [`Hint`] of the bus will do as well.
    pub fn merge(&mut self, other: impl Into<Self>) {
        let other = other.into();
        self.queues.extend(other.queues);
        self.cancels.extend(other.cancels);
        self.hints.extend(other.hints);
    }

    /// Tells everybody.
    pub fn fire(self, notifier: &Notifier) {
        for queue in &self.queues {
            notifier.notify(WORK, queue);
        }
        for job in &self.cancels {
            notifier.notify(CANCEL, &job.to_string());
        }
        for hint in self.hints {
            hint.fire(notifier);
        }
    }
}

impl From<Hint> for Wake {
    fn from(hint: Hint) -> Self {
        Self {
            hints: vec![hint],
            ..Self::default()
        }
    }
}
