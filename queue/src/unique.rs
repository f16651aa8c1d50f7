//! Keys that keep a job from being enqueued twice.

use std::time::Duration;

/// A key that at most one job holds. Put the kind and the thing in it: `probe:0198…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UniqueKey {
    pub(crate) key: String,
    pub(crate) ttl: Option<Duration>,
}

impl UniqueKey {
    /// Held until the job has ended, however it ends.
    pub fn until_done(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            ttl: None,
        }
    }

    /// Held for `ttl` from the insert, whether or not the job has ended by then.
    pub fn for_period(key: impl Into<String>, ttl: Duration) -> Self {
        Self {
            key: key.into(),
            ttl: Some(ttl),
        }
    }
}
