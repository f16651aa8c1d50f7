//! How a run ends.

use std::{error::Error, time::Duration};

use serde_json::Value;

/// What a handler answers.
pub type Outcome = Result<Done, Failure>;

/// A run that went well.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// Completed.
    Completed,
    /// Completed, with a result to keep.
    CompletedWith(Value),
    /// Not yet: run again after this time. The attempt is given back.
    Snooze(Duration),
    /// [`Run::complete`](crate::Run::complete) has already ended the job, together with its effect.
    Committed,
}

/// A run that did not. `?` on any error makes a retry; the others are said aloud with [`OrOutcome`].
#[derive(Debug)]
pub enum Failure {
    /// Run again after the kind's backoff, while attempts are left.
    Retry(Box<dyn Error + Send + Sync>),
    /// Run again after this time, while attempts are left.
    RetryAfter(Box<dyn Error + Send + Sync>, Duration),
    /// The work is no longer wanted.
    Cancel {
        reason: String,
        code: Option<String>,
    },
    /// The work can never succeed.
    Fail {
        reason: String,
        code: Option<String>,
    },
    /// The work brings down what does it, time and again. As bad as a crash of the worker itself.
    Quarantine {
        reason: String,
        code: Option<String>,
    },
}

impl Failure {
    /// The work is no longer wanted.
    pub fn cancel(reason: impl Into<String>) -> Self {
        Self::Cancel {
            reason: reason.into(),
            code: None,
        }
    }

    /// The work can never succeed.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Fail {
            reason: reason.into(),
            code: None,
        }
    }

    /// The work brings down what does it, time and again.
    pub fn quarantine(reason: impl Into<String>) -> Self {
        Self::Quarantine {
            reason: reason.into(),
            code: None,
        }
    }

    /// Adds the stable word under which others know the reason; retries have none.
    #[must_use]
    pub fn with_code(self, word: impl Into<String>) -> Self {
        match self {
            Self::Cancel { reason, .. } => Self::Cancel {
                reason,
                code: Some(word.into()),
            },
            Self::Fail { reason, .. } => Self::Fail {
                reason,
                code: Some(word.into()),
            },
            Self::Quarantine { reason, .. } => Self::Quarantine {
                reason,
                code: Some(word.into()),
            },
            retry => retry,
        }
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Retry(error.into())
    }
}

/// Says what the absence of a value, or an error, means for the job.
pub trait OrOutcome<T> {
    /// Cancels the job: the work is no longer wanted.
    ///
    /// # Errors
    /// [`Failure::Cancel`] when there is no value.
    fn or_cancel(self, why: impl Into<String>) -> Result<T, Failure>;

    /// Fails the job for good.
    ///
    /// # Errors
    /// [`Failure::Fail`] when there is no value.
    fn or_fail(self, why: impl Into<String>) -> Result<T, Failure>;
}

impl<T> OrOutcome<T> for Option<T> {
    fn or_cancel(self, why: impl Into<String>) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::cancel(why))
    }

    fn or_fail(self, why: impl Into<String>) -> Result<T, Failure> {
        self.ok_or_else(|| Failure::fail(why))
    }
}

impl<T, E: std::fmt::Display> OrOutcome<T> for Result<T, E> {
    fn or_cancel(self, why: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::cancel(format!("{}: {error}", why.into())))
    }

    fn or_fail(self, why: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::fail(format!("{}: {error}", why.into())))
    }
}

/// The message of `error` with those of its sources, which is what the errors of a run keep.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let message = error.to_string();
        // Some libraries repeat the source in their own message.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = error.source();
    }
    text
}
