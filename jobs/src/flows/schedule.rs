//! Publishing at a time: the time in the row, and the job that comes then.

use chrono::{DateTime, SubsecRound as _, Utc};
use millrace_domain::{
    ids::{UserId, VideoId},
    videos,
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;
use uuid::Uuid;

use super::FlowError;
use crate::kinds::PublishScheduled;

/// Makes a video private until `at`, when a job makes it public; without a time, it stays what it is. The job of an
/// earlier time is cancelled; if it runs just now, it finds that its time is not the row's.
///
/// # Errors
/// [`FlowError::NotFound`]
pub async fn schedule_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
    at: Option<DateTime<Utc>>,
) -> Result<Wake, FlowError> {
    // As exact as the row, which it is compared with.
    let at = at.map(|at| at.trunc_subsecs(0));
    let mut wake = forget_schedule(&mut *conn, id).await?;
    if !videos::set_schedule(&mut *conn, id, owner, at).await? {
        return Err(FlowError::NotFound);
    }
    if let Some(at) = at {
        let job = NewJob::new(&PublishScheduled { video: id, at })
            .owner(owner.0)
            .group(group(id))
            .run_at(at);
        wake.merge(millrace_queue::enqueue(&mut *conn, job).await?.wake);
    }
    wake.merge(videos::video_changed(conn, id, owner).await?);
    Ok(wake)
}

/// Cancels the job of a time that does not hold any more.
pub(super) async fn forget_schedule(
    conn: &mut PgConnection,
    id: VideoId,
) -> Result<Wake, sqlx::Error> {
    let cancelled = millrace_queue::cancel_group(conn, group(id), "the time was changed").await?;
    Ok(cancelled.wake)
}

/// The group of that job, apart from those of the generations, which count up from the id.
fn group(video: VideoId) -> Uuid {
    Uuid::from_u128(video.0.as_u128().wrapping_sub(1))
}
