//! The states of a job.

use std::fmt;

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

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
