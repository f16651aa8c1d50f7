//! What the kinds that look after MediaConvert have in common.

use millrace_domain::{
    media::MediaError,
    mediaconvert::{ConvertError, Intent, Order, request},
    videos::{PartProgress, Video, whole_work},
};
use millrace_queue::{Failure, OrOutcome as _};

use crate::{JobContext, context::media_failure, plan::Decided};

/// How often one round of a video asks, when what it asked for fails through no fault of the file's.
pub(crate) const ATTEMPTS: i16 = 2;

/// Asks for what `intent` stands for, unless it was asked for already, and notes what they answer.
///
/// The row says before the call that it is made. So whoever comes after a crash, or after an answer that was lost, looks
/// for the job by its token before asking again; within a minute, they would not make a second one in any case.
pub(crate) async fn submit(
    cx: &JobContext,
    video: &Video,
    decided: &Decided,
    intent: &Intent,
) -> Result<(), Failure> {
    if intent.external_id.is_some() || intent.ended_at.is_some() {
        return Ok(());
    }
    let converter = cx.converter()?;
    let there = match intent.asked_at {
        Some(at) => converter
            .find(intent.id, at)
            .await
            .map_err(convert_failure)?,
        None => None,
    };
    let seen = match there {
        Some(seen) => seen,
        None => {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            let wanted = Intent::asking(&mut *tx, intent.id).await?;
            tx.commit().await?;
            wanted
                .then_some(())
                .or_cancel("it was given up meanwhile")?;
            let order = Order {
                token: intent.id,
                source: &video.original_key,
                probe: &decided.probe,
                plan: &decided.plan,
                outputs: intent.outputs(),
            };
            let ask = request(&order, converter.options());
            match converter.create(ask).await {
                Ok(seen) => seen,
                Err(unavailable @ ConvertError::Unavailable(_)) => {
                    return Err(convert_failure(unavailable));
                }
                Err(refused) => {
                    // There is no job, and none to look for.
                    Intent::lose(cx.db(), intent.id).await?;
                    return Err(convert_failure(refused));
                }
            }
        }
    };
    tracing::info!(
        video.id = %video.id, mediaconvert.job = seen.id.as_deref(), mediaconvert.attempt = intent.attempt,
        "MediaConvert has the video"
    );
    // Without the lease as well: what they said stays true.
    let mut conn = cx.db().acquire().await?;
    Intent::hear(&mut conn, intent.id, &seen).await?;
    Ok(())
}

/// How much of a video's work a job has done. Reports of polls and events are the same, and whichever comes late is
/// behind the other.
pub(crate) fn progress_of(intent: &Intent, video: &Video) -> PartProgress {
    let whole = whole_work(
        video.duration.unwrap_or_default(),
        video.has_video.unwrap_or_default(),
        video.has_audio.unwrap_or_default(),
    );
    PartProgress {
        video: intent.video,
        generation: intent.generation,
        part: "mediaconvert".to_owned(),
        run_no: i32::from(intent.attempt),
        n: i64::from(intent.percent),
        done: whole * f64::from(intent.percent) / 100.0,
    }
}

/// What a call that went wrong means for the job that made it.
pub(crate) fn convert_failure(error: ConvertError) -> Failure {
    match error {
        ConvertError::Refused { code, message } => media_failure(
            MediaError::configuration("MediaConvert refuses our requests.")
                .with_detail(format!("{code}: {message}")),
        ),
        ConvertError::NotFound => media_failure(MediaError::configuration(
            "MediaConvert does not know what is asked for: the queue, or the role.",
        )),
        unavailable @ ConvertError::Unavailable(_) => unavailable.into(),
    }
}
