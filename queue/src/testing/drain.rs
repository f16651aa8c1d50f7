//! Runs what is due, until nothing is.

use std::{collections::BTreeMap, time::Duration};

use super::{
    clock::time_passes,
    runner::{Next, Runner},
};
use crate::State;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    with_scheduled: bool,
    at_most: usize,
}

/// How many runs ended how. A job that failed and was tried again counts with each of its runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    pub completed: usize,
    pub cancelled: usize,
    pub discarded: usize,
    pub quarantined: usize,
    /// Failed, to be tried again.
    pub retryable: usize,
    /// Snoozed.
    pub scheduled: usize,
    /// Taken away while they ran, or put back.
    pub others: usize,
}

/// Why not everything was run.
#[derive(Debug, thiserror::Error)]
pub enum DrainError {
    /// There is still something to run: perhaps a job that enqueues itself for ever.
    #[error("{runs} runs, and still something is due. They were: {kinds}")]
    Endless { runs: usize, kinds: String },
    /// The database refused.
    #[error("could not run what is due")]
    Database(#[from] sqlx::Error),
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            with_scheduled: false,
            at_most: 1_000,
        }
    }
}

impl Drain {
    /// What is due now; 1,000 runs at most.
    pub fn new() -> Self {
        Self::default()
    }

    /// Delayed jobs, snoozed ones and those to be tried again as well, and those whose rate allows no more at present:
    /// whenever nothing is due, time passes ([`time_passes`]) until something is.
    #[must_use]
    pub fn with_scheduled(self) -> Self {
        Self {
            with_scheduled: true,
            ..self
        }
    }

    /// No more runs than this.
    #[must_use]
    pub fn at_most(self, runs: usize) -> Self {
        Self {
            at_most: runs,
            ..self
        }
    }
}

impl Drained {
    /// All runs.
    pub fn runs(&self) -> usize {
        let ended = self.completed + self.cancelled + self.discarded + self.quarantined;
        ended + self.retryable + self.scheduled + self.others
    }

    fn count(&mut self, state: State) {
        let counter = match state {
            State::Completed => &mut self.completed,
            State::Cancelled => &mut self.cancelled,
            State::Discarded => &mut self.discarded,
            State::Quarantined => &mut self.quarantined,
            State::Retryable => &mut self.retryable,
            State::Scheduled => &mut self.scheduled,
            State::Waiting | State::Available | State::Running => &mut self.others,
        };
        *counter += 1;
    }
}

impl<C: Clone + Send + Sync + 'static> Runner<C> {
    /// Runs what is due and what comes due meanwhile, until nothing is.
    ///
    /// # Errors
    /// See [`DrainError`].
    pub async fn drain(&self) -> Result<Drained, DrainError> {
        self.drain_with(Drain::new()).await
    }

    /// [`Runner::drain`], as far as is said.
    ///
    /// # Errors
    /// See [`DrainError`].
    pub async fn drain_with(&self, drain: Drain) -> Result<Drained, DrainError> {
        let mut drained = Drained::default();
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        let mut waits = 0;
        loop {
            match self.step().await? {
                Next::Ran(ran) => {
                    drained.count(ran.state);
                    *kinds.entry(ran.kind).or_default() += 1;
                    waits = 0;
                }
                Next::Nothing(Some(wait)) if drain.with_scheduled && waits < drain.at_most => {
                    // A moment more, or rounding makes us look just too early.
                    let wait = wait + Duration::from_millis(1);
                    time_passes(&mut *self.pool.acquire().await?, wait).await?;
                    waits += 1;
                }
                Next::Nothing(_) => return Ok(drained),
            }
            if drained.runs() > drain.at_most {
                let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{k} ({n})")).collect();
                return Err(DrainError::Endless {
                    runs: drained.runs(),
                    kinds: kinds.join(", "),
                });
            }
        }
    }
}
