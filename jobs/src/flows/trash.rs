//! Into the trash, out of it, and for good.

use std::time::Duration;

use millrace_bus::Notifier;
use millrace_domain::{
    ids::{UserId, VideoId},
    videos::{self, Status, Video},
};
use millrace_queue::Wake;
use sqlx::{PgConnection, PgPool};

use super::{
    FlowError, delete_video,
    mediaconvert::stop_converting,
    schedule::forget_schedule,
    video::{give_back, owned},
};
use crate::plan::group;

/// How many videos [`empty_trash`] looks at in one go.
const BATCH: i64 = 50;

/// Puts a video into the trash: nobody sees it any more, and its owner can bring it back. Processing stops, and can go
/// on from where it was.
///
/// # Errors
/// [`FlowError::NotFound`] also if it is there already.
pub async fn trash_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Wake, FlowError> {
    let video = owned(&mut *conn, id, owner).await?;
    let mut wake = forget_schedule(&mut *conn, id).await?;
    if video.status == Status::Processing {
        let jobs = group(id, video.generation);
        let cancelled =
            millrace_queue::cancel_group(&mut *conn, jobs, "the video was deleted").await?;
        wake.merge(cancelled.wake);
        let (generation, round) = (video.generation, video.round);
        let text = "Processing was cancelled.";
        Video::fail(&mut *conn, id, generation, round, "cancelled", text).await?;
        wake.merge(stop_converting(&mut *conn, &video).await?);
        wake.merge(give_back(&mut *conn, &video).await?);
    }
    if !videos::trash(&mut *conn, id, owner).await? {
        return Err(FlowError::NotFound);
    }
    wake.merge(videos::video_deleted(conn, id, owner).await?);
    Ok(wake)
}

/// Takes a video out of the trash.
///
/// # Errors
/// [`FlowError::NotFound`] if it is not there.
pub async fn restore_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Wake, FlowError> {
    if !videos::restore(&mut *conn, id, owner).await? {
        return Err(FlowError::NotFound);
    }
    Ok(videos::video_changed(conn, id, owner).await?.into())
}

/// Deletes for good what has been in the trash for `kept`, each in a transaction of its own, and says how many.
///
/// # Errors
/// [`FlowError`]; what was deleted before it stays deleted.
pub async fn empty_trash(
    db: &PgPool,
    notifier: &Notifier,
    kept: Duration,
) -> Result<usize, FlowError> {
    let mut deleted = 0;
    loop {
        let old = videos::past_trash(db, kept, BATCH).await?;
        for (id, owner) in &old {
            let mut tx = millrace_bus::begin(db).await?;
            // Restored meanwhile: its row says so under the lock.
            let video = Video::lock(&mut tx, *id).await?;
            if video.is_none_or(|video| video.deleted_at.is_none()) {
                continue;
            }
            let wake = delete_video(&mut tx, *id, *owner).await?;
            tx.commit().await?;
            wake.fire(notifier);
            deleted += 1;
        }
        if old.is_empty() {
            return Ok(deleted);
        }
    }
}
