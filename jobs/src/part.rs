//! One part of a generation, a chunk or the audio: the encoder and the store side by side.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI64, Ordering},
};

use futures::future::BoxFuture;
use millrace_domain::{
    media::{ClosedSegment, Grid, MediaError, Progress},
    videos::{PartProgress, Video},
};
use millrace_queue::Failure;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{JobContext, context::media_failure, publisher::Publisher};

/// Announcements that may wait for the store. Few, so that files do not pile up behind a slow one.
const WAITING: usize = 16;

/// What is to be made, and how far it is.
pub(crate) struct Part<'a> {
    pub(crate) cx: &'a JobContext,
    pub(crate) video: &'a Video,
    /// Under which its progress is counted: `c0003`, `audio`.
    pub(crate) name: String,
    /// In whose folder its segments lie; the audio lies in that of 0.
    pub(crate) chunk: i32,
    pub(crate) grid: Grid,
    /// Where it begins on the grid.
    pub(crate) first_frame: i64,
    /// How long it is.
    pub(crate) seconds: f64,
    /// Which pass over it this is, and of how many: one, unless memory was short.
    pub(crate) pass: (u32, u32),
    /// The first segment of each rendition that is not in the store yet.
    pub(crate) missing_from: HashMap<String, i32>,
}

/// The two ends of a part's announcements: the encoder's and the store's.
pub(crate) fn announcements() -> (mpsc::Sender<ClosedSegment>, mpsc::Receiver<ClosedSegment>) {
    mpsc::channel(WAITING)
}

impl Part<'_> {
    /// Runs `encode` to its end and stores what it announces. A store that fails cancels `stop`, and with it the
    /// encoder: nobody takes what it makes.
    ///
    /// # Errors
    /// The store's failure before the encoder's, because a stopped encoder only says that it was stopped.
    pub(crate) async fn store_beside(
        &self,
        encode: BoxFuture<'_, Result<(), MediaError>>,
        announced: mpsc::Receiver<ClosedSegment>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let publisher = Publisher::new(self.cx, self.video, self.chunk, &self.missing_from);
        let publish = async {
            let published = publisher.run(announced).await;
            if published.is_err() {
                stop.cancel();
            }
            published
        };
        let (encoded, published) = tokio::join!(encode, publish);
        published?;
        encoded.map_err(media_failure)
    }

    /// Tells how many seconds are done, to the video's progress and to the job's own.
    pub(crate) fn reporter(&self) -> impl Fn(Progress) + Send + Sync {
        let n = AtomicI64::new(0);
        move |progress| {
            let (pass, passes) = self.pass;
            let now = self
                .grid
                .seconds((progress.frame - self.first_frame).max(0))
                .min(self.seconds);
            let done = (self.seconds * f64::from(pass) + now) / f64::from(passes.max(1));
            let percent = done / self.seconds.max(0.001) * 100.0;
            self.cx.progress(percent as f32, "encoding");
            self.cx.services().progress.report(PartProgress {
                video: self.video.id,
                generation: self.video.generation,
                part: self.name.clone(),
                run_no: self.cx.run_no,
                n: n.fetch_add(1, Ordering::Relaxed),
                done,
            });
        }
    }
}
