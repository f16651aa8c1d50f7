//! What EventBridge says of a job at MediaConvert, and the end of jobs that nobody needs any more.

use millrace_domain::{
    mediaconvert::{Event, Intent},
    videos::{Video, record_progress, topic_of_user, topic_of_video},
};
use millrace_queue::{JobId, NewJob, State, UniqueKey, Wake};
use sqlx::PgConnection;

use super::FlowError;
use crate::{kinds::MediaconvertCancel, mediaconvert};

/// Takes an event: how far the job is reaches those who watch, and when it says that the job has ended, the job of ours
/// that waits for it looks at once. `None` if it is about no job of ours that has not ended.
///
/// # Errors
/// [`FlowError`]
pub async fn hear_event(conn: &mut PgConnection, event: &Event) -> Result<Option<Wake>, FlowError> {
    let Some(token) = event.token() else {
        return Ok(None);
    };
    let Some(intent) = Intent::find(&mut *conn, token).await? else {
        return Ok(None);
    };
    if intent.ended_at.is_some() {
        return Ok(None);
    }
    let mut wake = Wake::none();
    // Jobs before rows.
    if let Some(waiter) = intent.waiter.filter(|_| event.says_the_end()) {
        wake.merge(look_now(&mut *conn, JobId(waiter)).await?);
    }
    let heard = Intent::hear(&mut *conn, token, &event.seen()).await?;
    let video = Video::find(&mut *conn, intent.video).await?;
    if let (Some(heard), Some(video)) = (heard, video)
        && video.generation == heard.generation
    {
        let report = mediaconvert::progress_of(&heard, &video);
        let rose = record_progress(&mut *conn, &[report]).await?;
        let topics = rose
            .into_iter()
            .flat_map(|(video, owner)| [topic_of_video(video), topic_of_user(owner)]);
        wake.merge(millrace_bus::touch(topics));
    }
    Ok(Some(wake))
}

/// Lets a job that waits for its time run now. One that runs looks for itself; one that has ended stays so.
pub(crate) async fn look_now(conn: &mut PgConnection, job: JobId) -> Result<Wake, sqlx::Error> {
    let waits = millrace_queue::find(&mut *conn, job)
        .await?
        .is_some_and(|row| matches!(row.state, State::Scheduled | State::Retryable));
    if !waits {
        return Ok(Wake::none());
    }
    Ok(millrace_queue::retry(conn, job).await?.wake)
}

/// Stops what MediaConvert still does for a video, by a job each.
///
/// # Errors
/// [`FlowError`]
pub(crate) async fn stop_converting(
    conn: &mut PgConnection,
    video: &Video,
) -> Result<Wake, FlowError> {
    let mut wake = Wake::none();
    for intent in Intent::open_of(&mut *conn, video.id).await? {
        wake.merge(stop_intent(&mut *conn, &intent).await?);
    }
    Ok(wake)
}

/// Stops one of them.
///
/// # Errors
/// [`FlowError`]
pub(crate) async fn stop_intent(
    conn: &mut PgConnection,
    intent: &Intent,
) -> Result<Wake, FlowError> {
    let job = NewJob::new(&MediaconvertCancel { intent: intent.id }).unique(UniqueKey::until_done(
        format!("mediaconvert_cancel:{}", intent.id),
    ));
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}
