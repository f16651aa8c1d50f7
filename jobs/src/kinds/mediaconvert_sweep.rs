//! mediaconvert_sweep: jobs at MediaConvert of which nobody has heard.

use std::time::Duration;

use millrace_domain::{
    mediaconvert::{self, Intent},
    videos::{Status, Video},
};
use millrace_queue::{Done, JobId, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// How many it looks at in one go, the longest silent first; the next go sees the others.
const BATCH: i64 = 200;
/// How long the rows of videos that are gone stay for whoever asks what happened.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Looks after jobs at MediaConvert that have given no sign of life for three intervals: one whose video does not need it
/// any more is stopped, whatever forgot to; one that is needed is looked at now.
/// Safe twice: a job is stopped by one job of ours at a time, and looking changes nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaconvertSweep {}

impl Job for MediaconvertSweep {
    const KIND: &'static str = "mediaconvert_sweep";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 20;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "25 * * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        // Without a way there, nobody can be asked.
        let Some(converter) = &cx.services().converter else {
            return Ok(Done::Completed);
        };
        let silence = converter.options().poll * 3;
        for intent in mediaconvert::silent(cx.db(), silence, BATCH).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            let wake = if is_wanted(cx, &intent).await? {
                match intent.waiter {
                    Some(waiter) => flows::look_now(&mut tx, JobId(waiter)).await?,
                    None => millrace_queue::Wake::none(),
                }
            } else {
                flows::stop_intent(&mut tx, &intent).await?
            };
            tx.commit().await?;
            wake.fire(cx.notifier());
        }
        mediaconvert::forget_old(cx.db(), KEPT).await?;
        Ok(Done::Completed)
    }
}

/// Whether it is what its video goes on with.
async fn is_wanted(cx: &JobContext, intent: &Intent) -> Result<bool, sqlx::Error> {
    let Some(video) = Video::find(cx.db(), intent.video).await? else {
        return Ok(false);
    };
    let current = Intent::current(cx.db(), video.id, video.generation, video.round).await?;
    Ok(video.status == Status::Processing
        && video.deleted_at.is_none()
        && current.is_some_and(|current| current.id == intent.id))
}
