//! What a failure that is nobody's fault means for a job: too little memory, a full disk, a decoder that crashed. Handlers
//! say `?`; this is looked at when they have answered, for all kinds alike.
//!
//! How often each has happened is kept in the job's checkpoint, since attempts are forgiven when a run advances.

use std::{error::Error, time::Duration};

use millrace_domain::media::{Class, MediaError};
use millrace_queue::{Done, Failure, Outcome, Run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{JobContext, source::is_full};

/// The key of the checkpoint under which they are kept.
const KEPT_UNDER: &str = "setbacks";
/// Runs that may end for want of memory, each but the first with less to do at a time.
const MEMORY: u8 = 2;
/// Waits for room on the disk, 30 s each and uncharged. The worker claims nothing while its disk is full, so these are
/// the jobs that fill it by themselves: after 20 minutes they are too large for this machine.
const DISK: u8 = 40;
const DISK_WAIT: Duration = Duration::from_secs(30);
/// Crashes in a row without any progress.
const CRASHES: u8 = 1;

/// What has happened to a job so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Setbacks {
    /// Runs that ended for want of memory. A chunk is then encoded in more passes of fewer rungs.
    pub(crate) memory: u8,
    disk: u8,
    crashes: u8,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Setback {
    Memory,
    Disk,
    Crash,
}

/// What to do about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// As after any failure.
    Retry,
    /// At no charge.
    Wait,
    /// With this code.
    Fail(&'static str),
    Quarantine,
}

impl Setbacks {
    pub(crate) fn of(run: &Run) -> Self {
        let kept = run.checkpoint.as_ref().and_then(|c| c.get(KEPT_UNDER));
        kept.and_then(|kept| serde_json::from_value(kept.clone()).ok())
            .unwrap_or_default()
    }

    /// Counts one more. A run that got the job further starts the count anew, but keeps it from being asked for as
    /// much at a time as before.
    fn count(&mut self, setback: Setback, advanced: bool) -> Verdict {
        let (counter, most) = match setback {
            Setback::Memory => (&mut self.memory, MEMORY),
            Setback::Disk => (&mut self.disk, DISK),
            Setback::Crash => (&mut self.crashes, CRASHES),
        };
        *counter = match setback {
            _ if !advanced => counter.saturating_add(1),
            Setback::Memory => counter.saturating_add(1).min(most),
            Setback::Disk | Setback::Crash => 1,
        };
        match setback {
            Setback::Disk if *counter <= most => Verdict::Wait,
            _ if *counter <= most => Verdict::Retry,
            Setback::Crash => Verdict::Quarantine,
            Setback::Memory | Setback::Disk => Verdict::Fail("out_of_resources"),
        }
    }

    /// The checkpoint with these in it.
    fn kept_in(self, checkpoint: Option<&Value>) -> Value {
        let mut all = match checkpoint {
            Some(Value::Object(all)) => all.clone(),
            _ => Map::new(),
        };
        all.insert(KEPT_UNDER.to_owned(), serde_json::json!(self));
        Value::Object(all)
    }
}

impl Setback {
    /// `None` for every other error.
    fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(media) = error.downcast_ref::<MediaError>() {
            return match media.class {
                Class::Crash => Some(Self::Crash),
                Class::Resource if says_full(&media.detail) => Some(Self::Disk),
                Class::Resource => Some(Self::Memory),
                _ => None,
            };
        }
        if error.downcast_ref::<std::io::Error>().is_some_and(is_full) {
            return Some(Self::Disk);
        }
        error.source().and_then(Self::of)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
            Self::Crash => "crash",
        }
    }
}

impl JobContext {
    /// Looks at how a handler ended, and decides what that means where the engine cannot know.
    pub(crate) async fn settle(&self, outcome: Outcome) -> Outcome {
        let error = match outcome {
            Err(Failure::Retry(error)) if !self.cancelled().is_cancelled() => error,
            // Whoever was told to stop may say anything.
            other => return other,
        };
        let Some(setback) = Setback::of(&*error) else {
            return Err(Failure::Retry(error));
        };
        let mut setbacks = Setbacks::of(self);
        let verdict = setbacks.count(setback, self.has_advanced());
        metrics::counter!("millrace_media_setbacks_total", "kind" => self.kind.clone(), "setback" => setback.word())
            .increment(1);
        tracing::warn!(?setbacks, ?verdict, %error, "{} met a setback: {}", self.kind, setback.word());
        let checkpoint = setbacks.kept_in(self.checkpoint.as_ref());
        let saved = match self.db().acquire().await {
            Ok(mut conn) => self.save_checkpoint(&mut conn, checkpoint).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = saved {
            // It is not counted, then: one try more.
            tracing::warn!(%error, "could not count a setback");
        }
        match verdict {
            Verdict::Retry => Err(Failure::Retry(error)),
            Verdict::Wait => Ok(Done::Snooze(DISK_WAIT)),
            Verdict::Fail(code) => Err(Failure::fail(
                "This machine has too little memory or disk for the video.",
            )
            .with_code(code)),
            Verdict::Quarantine => Err(Failure::quarantine(
                "This file crashed the encoder again. It may be damaged.",
            )
            .with_code("transcoder_crashed")),
        }
    }
}

/// What ffmpeg says when the disk is full; everything else that is scarce is memory, or a limit that stands for it.
fn says_full(detail: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"]
        .iter()
        .any(|words| detail.contains(words))
}

#[cfg(test)]
mod tests {
    use millrace_domain::storage::StorageError;

    use super::*;

    fn counted(setback: Setback, runs: &[bool]) -> Vec<Verdict> {
        let mut setbacks = Setbacks::default();
        runs.iter()
            .map(|&advanced| setbacks.count(setback, advanced))
            .collect()
    }

    #[test]
    fn memory_is_tried_twice_with_less_and_then_given_up() {
        let verdicts = counted(Setback::Memory, &[false; 3]);
        let failed = Verdict::Fail("out_of_resources");
        assert_eq!(verdicts, [Verdict::Retry, Verdict::Retry, failed]);
        // Nobody gives up what gets further each time.
        assert_eq!(counted(Setback::Memory, &[true; 9]), [Verdict::Retry; 9]);
    }

    #[test]
    fn a_crash_is_tried_once_more() {
        let twice = [Verdict::Retry, Verdict::Quarantine];
        assert_eq!(counted(Setback::Crash, &[false, false]), twice);
        assert_eq!(counted(Setback::Crash, &[true, true, false])[1..], twice);
    }

    #[test]
    fn a_full_disk_is_waited_for_and_not_for_ever() {
        let verdicts = counted(Setback::Disk, &[false; 41]);
        assert!(verdicts[..40].iter().all(|v| *v == Verdict::Wait));
        assert_eq!(verdicts[40], Verdict::Fail("out_of_resources"));
    }

    #[test]
    fn errors_are_told_apart_however_deep_they_are() {
        let media = |class, detail: &str| {
            let error = MediaError::new(class, "It failed.").with_detail(detail);
            Setback::of(&error)
        };
        assert_eq!(media(Class::Crash, ""), Some(Setback::Crash));
        assert_eq!(media(Class::Resource, "signal: 9"), Some(Setback::Memory));
        assert_eq!(
            media(Class::Resource, "x: No space left on device"),
            Some(Setback::Disk)
        );
        assert_eq!(media(Class::Transient, "No space left on device"), None);
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(
            Setback::of(&StorageError::File("x".to_owned(), full)),
            Some(Setback::Disk)
        );
        let gone = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(Setback::of(&StorageError::File("x".to_owned(), gone)), None);
    }

    #[test]
    fn other_checkpoints_stay() {
        let setbacks = Setbacks {
            memory: 1,
            ..Setbacks::default()
        };
        let kept = setbacks.kept_in(Some(&serde_json::json!({"page": 7})));
        assert_eq!(kept["page"], 7);
        assert_eq!(kept["setbacks"]["memory"], 1);
    }
}
