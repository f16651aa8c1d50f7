//! What can go wrong with media, classified by who can mend it: the person, the operator, or time.

use std::fmt;

/// Who can mend a failure, and therefore whether it is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The file itself. Permanent; the code is stable and translated by the web app.
    Input(&'static str),
    /// This installation: no ffmpeg, a missing encoder. Permanent until an operator acts.
    Configuration,
    /// Worth another attempt: a stall, a file that vanished, an unexplained exit.
    Transient,
    /// Out of memory or disk. Worth another attempt, elsewhere or smaller.
    Resource,
    /// The decoder or encoder died of a signal of its own making. Worth one more attempt, then suspicion.
    Crash,
    /// The caller asked for it.
    Cancelled,
}

/// A failed probe or encode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaError {
    /// Who can mend it.
    pub class: Class,
    /// One sentence that a person understands.
    pub message: String,
    /// The end of what ffmpeg said, for developers; may be empty and never goes to the person.
    pub detail: String,
}

impl MediaError {
    /// The file is at fault.
    pub fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::Input(code), message)
    }

    /// The installation is at fault.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self::new(Class::Configuration, message)
    }

    /// Nobody is known to be at fault.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(Class::Transient, message)
    }

    /// The caller cancelled it.
    pub fn cancelled() -> Self {
        Self::new(Class::Cancelled, "The work was cancelled.")
    }

    /// Any class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            detail: String::new(),
        }
    }

    /// Adds what ffmpeg said.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// A stable snake_case word for the row and the web app.
    pub fn code(&self) -> &'static str {
        match self.class {
            Class::Input(code) => code,
            Class::Configuration => "transcoder_misconfigured",
            Class::Transient => "transcoder_failed",
            Class::Resource => "out_of_resources",
            Class::Crash => "transcoder_crashed",
            Class::Cancelled => "cancelled",
        }
    }

    /// Another attempt cannot help.
    pub fn is_permanent(&self) -> bool {
        matches!(self.class, Class::Input(_) | Class::Configuration)
    }
}

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for MediaError {}
