//! mediaconvert_poll: how far is MediaConvert, and did it come to its end?

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_domain::{
    ids::VideoId,
    media::MediaError,
    mediaconvert::{ConvertError, Intent, JobStatus, MediaConvert, Seen, trouble},
    videos::Video,
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    context::media_failure,
    flows,
    mediaconvert::{ATTEMPTS, convert_failure, progress_of, submit},
    plan::Decided,
};

/// What is said of one that is in progress and shows none.
const STANDSTILL: &str = "The conversion came to a standstill.";

/// Waits for MediaConvert without holding a place: it looks, tells how far it is, and comes back. An event wakes it before
/// its time. What fails through no fault of the file's is asked for once more.
/// Safe twice: what it hears only goes forward, and another attempt is a row with its own number.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaconvertPoll {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for MediaconvertPoll {
    const KIND: &'static str = "mediaconvert_poll";
    const QUEUE: &'static str = "default";
    /// Looks that found nobody there, in a row: an hour of them.
    const MAX_ATTEMPTS: u16 = 65;
    const TIMEOUT: Duration = Duration::from_secs(5 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let converter = cx.converter()?;
        let intent = Intent::current(cx.db(), video.id, video.generation, video.round)
            .await?
            .or_fail("nothing was asked of MediaConvert")?;
        if intent.external_id.is_none() && intent.ended_at.is_none() {
            // Another attempt, of which a run before this one did not see the end.
            submit(cx, &video, &Decided::of(&video)?, &intent).await?;
            return Ok(Done::Snooze(converter.options().poll));
        }
        let now = look(cx, converter, &intent).await?;
        match now.status {
            JobStatus::Complete => Ok(Done::Completed),
            JobStatus::Error => {
                let error = trouble(now.error_code, now.error_message.as_deref());
                another(cx, &video, &now, error).await
            }
            JobStatus::Canceled => {
                let error = MediaError::transient("The conversion was cancelled over there.");
                another(cx, &video, &now, error).await
            }
            JobStatus::Lost => {
                let error = MediaError::transient("The conversion was lost.");
                another(cx, &video, &now, error).await
            }
            JobStatus::Progressing if is_stuck(&now, converter) => {
                let error = MediaError::transient(STANDSTILL);
                another(cx, &video, &now, error).await
            }
            JobStatus::Intended | JobStatus::Submitted | JobStatus::Progressing => {
                cx.progress(f32::from(now.percent), "converting");
                cx.services().progress.report(progress_of(&now, &video));
                Ok(Done::Snooze(converter.options().poll))
            }
        }
    }
}

/// Asks how the job is, and notes it and who waits for it.
async fn look(
    cx: &JobContext,
    converter: &MediaConvert,
    intent: &Intent,
) -> Result<Intent, Failure> {
    let Some(id) = intent.external_id.as_deref().filter(|_| intent.ended_at.is_none()) else {
        return Ok(intent.clone());
    };
    let seen = match converter.get(id).await {
        Ok(seen) => seen,
        Err(ConvertError::NotFound) => Seen {
            id: None,
            status: JobStatus::Lost,
            percent: 0,
            code: None,
            message: None,
        },
        Err(error) => return Err(convert_failure(error)),
    };
    let mut tx = millrace_bus::begin(cx.db()).await?;
    cx.fence(&mut tx).await?;
    Intent::wait(&mut *tx, intent.id, cx.id.0).await?;
    let now = Intent::hear(&mut tx, intent.id, &seen).await?;
    tx.commit().await?;
    now.or_fail("the row of the conversion is gone")
}

/// It is in progress, they say, and there is none.
fn is_stuck(intent: &Intent, converter: &MediaConvert) -> bool {
    let silence = TimeDelta::from_std(converter.options().silence).unwrap_or(TimeDelta::MAX);
    Utc::now().signed_duration_since(intent.moved_at) > silence
}

/// Begins another attempt, and stops this one if it has not ended; or says why it is over.
async fn another(cx: &JobContext, video: &Video, intent: &Intent, error: MediaError) -> Outcome {
    if error.is_permanent() {
        return Err(media_failure(error));
    }
    tracing::warn!(video.id = %video.id, mediaconvert.job = intent.external_id.as_deref(), %error, "a conversion came to nothing");
    if intent.attempt >= ATTEMPTS {
        // Not the engine's to try again: what is asked for again costs money again, so its owner decides.
        let (text, code) = if error.message == STANDSTILL {
            ("Processing came to a standstill. You can try again.", "transcoder_silent")
        } else {
            ("Processing failed for a reason on our side. You can try again.", error.code())
        };
        return Err(Failure::fail(text).with_code(code));
    }
    let mut tx = millrace_bus::begin(cx.db()).await?;
    cx.fence(&mut tx).await?;
    let mut wake = Wake::none();
    if intent.ended_at.is_none() {
        wake = flows::stop_intent(&mut tx, intent).await?;
    }
    intent.again(&mut *tx).await?;
    tx.commit().await?;
    wake.fire(cx.notifier());
    // The next run finds it and asks for it.
    Ok(Done::Snooze(Duration::ZERO))
}
