//! What is wrong with a file of captions, and where.

use std::fmt;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is in it.
    Empty,
    /// It has more than [`super::MOST_BYTES`].
    TooLarge,
    /// It has more than [`super::MOST_CUES`].
    TooMany,
    /// It is neither WebVTT nor SubRip.
    Unknown,
    /// A line with times was expected here.
    NoTimes,
    /// These are no times.
    BadTimes,
    /// It ends before it begins.
    Backwards,
    /// It begins after a week.
    TooLate,
    /// One caption has more text than anybody can read.
    TooLong,
    /// The text holds characters that no text has.
    Binary,
}

/// The fault, and the line that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionError {
    pub fault: Fault,
    /// Counts from 1, as editors do; none for the whole file.
    pub line: Option<usize>,
}

impl CaptionError {
    pub(super) fn whole(fault: Fault) -> Self {
        Self { fault, line: None }
    }

    pub(super) fn at(fault: Fault, line: usize) -> Self {
        Self {
            fault,
            line: Some(line),
        }
    }
}

impl fmt::Display for CaptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(match self.fault {
            Fault::Empty => "there are no captions in it",
            Fault::TooLarge => "it is larger than 1 MiB",
            Fault::TooMany => "it has more than 10,000 captions",
            Fault::Unknown => "it is neither WebVTT (it would begin with WEBVTT) nor SubRip",
            Fault::NoTimes => "times such as 00:00:01.000 --> 00:00:03.000 should be here",
            Fault::BadTimes => "these times cannot be read",
            Fault::Backwards => "it ends before it begins",
            Fault::TooLate => "it begins after more than a week",
            Fault::TooLong => "it has more than 2,000 characters",
            Fault::Binary => "it holds characters that are no text",
        })
    }
}

impl std::error::Error for CaptionError {}
