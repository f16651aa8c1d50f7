//! Pictures that may stand for a video.

use millrace_domain::{
    ids::{ThumbnailId, UserId, VideoId},
    videos::{self, Thumbnail, Video},
};
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;

use super::{FlowError, video::sweep};
use crate::kinds::MakeThumbnail;

/// The bytes of a picture are in the store: a job makes it anew. Nothing happens when that was said before.
///
/// # Errors
/// [`FlowError::NotFound`] if there is no such picture of a video of theirs.
pub async fn take_thumbnail(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
    id: ThumbnailId,
) -> Result<Wake, FlowError> {
    let picture = Thumbnail::find(&mut *conn, id)
        .await?
        .filter(|picture| picture.video == video);
    let video = Video::of_owner(&mut *conn, video, owner).await?;
    let (Some(_), Some(video)) = (picture, video) else {
        return Err(FlowError::NotFound);
    };
    if !Thumbnail::arrived(&mut *conn, id).await? {
        return Ok(Wake::none());
    }
    let job = MakeThumbnail {
        video: video.id,
        owner,
        thumbnail: id,
    };
    let job = NewJob::new(&job).owner(owner.0);
    let mut wake = millrace_queue::enqueue(&mut *conn, job).await?.wake;
    wake.merge(videos::video_changed(conn, video.id, owner).await?);
    Ok(wake)
}

/// Deletes a picture of the owner's, its objects by a job.
///
/// # Errors
/// [`FlowError::NotFound`] also for one that the pipeline found, and for the one that stands for the video.
pub async fn delete_thumbnail(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
    id: ThumbnailId,
) -> Result<Wake, FlowError> {
    let keys = Thumbnail::delete(&mut *conn, video, owner, id)
        .await?
        .ok_or(FlowError::NotFound)?;
    drop_objects(conn, owner, keys).await
}

/// Dooms single objects, whose keys are their own prefixes, and enqueues their deletion.
///
/// # Errors
/// [`FlowError`]
pub async fn drop_objects(
    conn: &mut PgConnection,
    owner: UserId,
    keys: Vec<String>,
) -> Result<Wake, FlowError> {
    if keys.is_empty() {
        return Ok(Wake::none());
    }
    videos::doom(&mut *conn, &keys).await?;
    delete_doomed(conn, owner, keys).await
}

/// Enqueues the deletion of what was doomed and nobody writes any more.
pub(crate) async fn delete_doomed(
    conn: &mut PgConnection,
    owner: UserId,
    prefixes: Vec<String>,
) -> Result<Wake, FlowError> {
    if prefixes.is_empty() {
        return Ok(Wake::none());
    }
    sweep(conn, owner, None, prefixes).await
}
