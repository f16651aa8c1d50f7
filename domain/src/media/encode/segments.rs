//! Segments, announced as they close.
//!
//! ffmpeg writes a segment under a temporary name and renames it when it is complete, so a name that exists is a segment
//! that is closed. The next name of each rendition is looked for ten times a second: portable, five `stat`s a time, and no
//! slower than an event for whoever uploads four seconds of video.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use super::ClosedSegment;
use crate::media::{error::MediaError, ffmpeg::WorkDir, ladder::Rendition};

/// How often to look.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The end of a rendition of which nobody knows how many segments it will have.
const UNKNOWN: i32 = i32::MAX;

/// A rendition whose segments appear in a directory of its own.
#[derive(Debug)]
struct Expected {
    rendition: Rendition,
    dir: PathBuf,
    first: i32,
    next: i32,
    /// Segments below this are not announced: they were before.
    announce_from: i32,
    end: i32,
}

/// Looks for closed segments and announces them.
#[derive(Debug)]
pub(super) struct Announcer {
    dir: Arc<WorkDir>,
    expected: Vec<Expected>,
    closed: mpsc::Sender<ClosedSegment>,
}

impl Announcer {
    pub(super) fn new(dir: WorkDir, closed: mpsc::Sender<ClosedSegment>) -> Self {
        Self {
            dir: Arc::new(dir),
            expected: Vec::new(),
            closed,
        }
    }

    /// Expects segments `first..end` of a rendition, and makes the directory that they appear in.
    pub(super) fn expect(
        &mut self,
        rendition: Rendition,
        first: i32,
        announce_from: i32,
        end: i32,
    ) -> Result<PathBuf, MediaError> {
        let dir = self.dir.subdirectory(rendition.as_str())?;
        self.expected.push(Expected {
            rendition,
            dir: dir.clone(),
            first,
            next: first,
            announce_from,
            end,
        });
        Ok(dir)
    }

    /// Expects as many segments as there will be, at least one, of which those before `announce_from` are not announced.
    pub(super) fn expect_some(
        &mut self,
        rendition: Rendition,
        announce_from: i32,
    ) -> Result<PathBuf, MediaError> {
        self.expect(rendition, 0, announce_from, UNKNOWN)
    }

    /// Drives `encode` to its end while announcing; all segments are announced, and were expected, when this is `Ok`.
    pub(super) async fn follow(
        mut self,
        encode: impl Future<Output = Result<(), MediaError>>,
        cancel: &CancellationToken,
    ) -> Result<(), MediaError> {
        let mut encode = std::pin::pin!(encode);
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                result = &mut encode => {
                    result?;
                    break;
                }
                _ = look.tick() => self.announce(cancel).await?,
            }
        }
        self.announce(cancel).await?;
        let missing = |expected: &&Expected| match expected.end {
            UNKNOWN => expected.next == 0,
            end => expected.next != end,
        };
        let Some(missing) = self.expected.iter().find(missing) else {
            return Ok(());
        };
        let detail = format!(
            "{} has no segment {}, {} were expected",
            missing.rendition, missing.next, missing.end
        );
        // An encoder that is content and has made nothing was given nothing, and will be given nothing again.
        let nothing = self.expected.iter().all(|e| e.next == e.first);
        let error = if nothing {
            MediaError::input(
                "damaged",
                "A part of the file cannot be decoded: it is damaged or incomplete.",
            )
        } else {
            MediaError::transient("The encoder ended early.")
        };
        Err(error.with_detail(detail))
    }

    /// Announces what has closed since the last look. A full channel holds the encoder up, too, which bounds the disk.
    async fn announce(&mut self, cancel: &CancellationToken) -> Result<(), MediaError> {
        for expected in &mut self.expected {
            while expected.next < expected.end {
                let path = expected.dir.join(format!("seg_{}.m4s", expected.next));
                let init = expected.dir.join("init.mp4");
                if !exists(&path).await || !exists(&init).await {
                    break;
                }
                let n = expected.next;
                expected.next += 1;
                if n < expected.announce_from {
                    let _ = tokio::fs::remove_file(&path).await;
                    continue;
                }
                let segment = ClosedSegment {
                    rendition: expected.rendition,
                    n,
                    path,
                    init,
                    _dir: Arc::clone(&self.dir),
                };
                tokio::select! {
                    sent = self.closed.send(segment) => sent.map_err(|_| MediaError::cancelled())?,
                    () = cancel.cancelled() => return Err(MediaError::cancelled()),
                }
            }
        }
        Ok(())
    }
}

async fn exists(path: &std::path::Path) -> bool {
    tokio::fs::try_exists(path).await.unwrap_or(false)
}
