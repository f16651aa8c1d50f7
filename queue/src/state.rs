//! The states of a job.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Where a job is in its life; the last four are terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "queue.state", rename_all = "lowercase")]
pub enum State {
    /// For jobs it depends on.
    Waiting,
    /// For its time.
    Scheduled,
    /// Ready to be claimed.
    Available,
    /// Claimed, under a lease.
    Running,
    /// Failed, waiting for its next attempt.
    Retryable,
    /// Done.
    Completed,
    /// By request, or because a job it depended on ended unhappily.
    Cancelled,
    /// Attempts spent, or failed for good.
    Discarded,
    /// Crashed its worker too often.
    Quarantined,
}

impl State {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Scheduled,
        Self::Available,
        Self::Running,
        Self::Retryable,
        Self::Completed,
        Self::Cancelled,
        Self::Discarded,
        Self::Quarantined,
    ];

    /// Whether the job has ended.
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Cancelled | Self::Discarded | Self::Quarantined
        )
    }

    /// The word used in the database, the API and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Scheduled => "scheduled",
            Self::Available => "available",
            Self::Running => "running",
            Self::Retryable => "retryable",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Discarded => "discarded",
            Self::Quarantined => "quarantined",
        }
    }
}

/// As the database takes several of them.
pub(crate) fn words(states: &[State]) -> Vec<&'static str> {
    states.iter().map(|state| state.as_str()).collect()
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| UnknownState(word.to_owned()))
    }
}

/// A word that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no state; those are waiting, scheduled, available, running, retryable, completed, cancelled, discarded and \
     quarantined"
)]
pub struct UnknownState(pub String);

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
