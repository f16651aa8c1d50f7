//! A video's beginning, its second try, and its end.

use millrace_domain::{
    ids::{UserId, VideoId},
    videos::{self, NewVideo, Status, Stored, Video},
};
use millrace_queue::{EnqueueError, NewJob, Wake};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    kinds::{DeleteObjects, Probe},
    pipeline::{Pipeline, of_generation},
    plan::{Decided, group},
};

use super::{mediaconvert::stop_converting, schedule::forget_schedule};

/// Why a flow was refused.
#[derive(Debug, thiserror::Error)]
pub enum FlowError {
    /// There is no such video of this owner.
    #[error("there is no such video")]
    NotFound,
    /// The video's state does not allow it.
    #[error("the video is {}", .0.word())]
    WrongState(Status),
    #[error("could not enqueue the video's jobs")]
    Enqueue(#[from] EnqueueError),
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Inserts a video and enqueues its pipeline. `None` if the upload became a video already: then nothing changed.
/// Fire the [`Wake`] after commit.
///
/// # Errors
/// [`FlowError`]; the transaction is then of no use.
pub async fn start_video(
    conn: &mut PgConnection,
    new: &NewVideo,
) -> Result<Option<Wake>, FlowError> {
    if !Video::insert(&mut *conn, new).await? {
        return Ok(None);
    }
    let video = Video::find(&mut *conn, new.id)
        .await?
        .ok_or(FlowError::NotFound)?;
    begin(conn, &video).await.map(Some)
}

/// Lets a video that failed go on from the failed step: what is stored stays, and the jobs of what is missing are
/// enqueued. A plan that cannot be read any more (another version made it) begins another generation instead.
///
/// # Errors
/// [`FlowError::WrongState`] unless it failed.
pub async fn retry_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Wake, FlowError> {
    let old = owned(conn, id, owner).await?;
    if old.status != Status::Failed {
        return Err(FlowError::WrongState(old.status));
    }
    // Somebody else may go on with it between the look and this.
    let moved_on = FlowError::WrongState(Status::Processing);
    let Ok(decided) = old.probe.as_ref().map(|_| Decided::of(&old)).transpose() else {
        return begin_anew(conn, &old).await?.ok_or(moved_on);
    };
    let video = Video::resume(conn, id).await?.ok_or(moved_on)?;
    let Some(decided) = decided else {
        return begin(conn, &video).await;
    };
    let stored = Stored::of(&mut *conn, id, video.generation).await?;
    let pipeline = Pipeline::new(&video, &decided, &stored);
    let chunks = pipeline.chunk_rows(&decided.plan);
    videos::reassign_chunks(&mut *conn, id, video.generation, &chunks).await?;
    let mut wake = millrace_queue::enqueue_all(conn, pipeline.into_jobs())
        .await?
        .wake;
    wake.merge(videos::video_changed(conn, id, owner).await?);
    Ok(wake)
}

/// Stops a video's pipeline: its jobs are cancelled wherever they run, and the video fails as `cancelled`.
///
/// # Errors
/// [`FlowError::WrongState`] unless it is processing.
pub async fn cancel_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Wake, FlowError> {
    let video = owned(conn, id, owner).await?;
    if video.status != Status::Processing {
        return Err(FlowError::WrongState(video.status));
    }
    // Jobs before rows before topics: the order in which everybody locks.
    let mut wake =
        millrace_queue::cancel_group(conn, group(id, video.generation), "cancelled by its owner")
            .await?
            .wake;
    Video::fail(
        &mut *conn,
        id,
        video.generation,
        video.round,
        "cancelled",
        "Processing was cancelled.",
    )
    .await?;
    wake.merge(stop_converting(&mut *conn, &video).await?);
    wake.merge(give_back(conn, &video).await?);
    wake.merge(videos::video_changed(conn, id, owner).await?);
    Ok(wake)
}

/// Drops what a replacement left that came to nothing. Nothing happens to a video whose source was not replaced.
pub(crate) async fn give_back(conn: &mut PgConnection, video: &Video) -> Result<Wake, FlowError> {
    let gone = videos::drop_replacement(&mut *conn, video).await?;
    if gone.is_empty() {
        return Ok(Wake::none());
    }
    let writers = group(video.id, video.generation);
    sweep(conn, video.user_id, Some(writers), gone).await
}

/// Deletes a video for good: the rows now, the objects by job.
///
/// # Errors
/// [`FlowError::NotFound`]
pub async fn delete_video(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Wake, FlowError> {
    // From the trash, too.
    let video = Video::find(&mut *conn, id)
        .await?
        .filter(|video| video.user_id == owner)
        .ok_or(FlowError::NotFound)?;
    let mut wake =
        millrace_queue::cancel_group(conn, group(id, video.generation), "the video was deleted")
            .await?
            .wake;
    wake.merge(forget_schedule(conn, id).await?);
    wake.merge(stop_converting(&mut *conn, &video).await?);
    Video::delete(conn, &video).await?;
    wake.merge(
        sweep(
            conn,
            owner,
            Some(group(id, video.generation)),
            video.prefixes(),
        )
        .await?,
    );
    wake.merge(videos::video_deleted(conn, id, owner).await?);
    Ok(wake)
}

/// Begins another generation; what the last one made is deleted by a job. `None` if the video has not failed.
async fn begin_anew(conn: &mut PgConnection, old: &Video) -> Result<Option<Wake>, FlowError> {
    let (id, owner) = (old.id, old.user_id);
    if Video::restart(&mut *conn, id).await?.is_none() {
        return Ok(None);
    }
    let video = Video::find(&mut *conn, id)
        .await?
        .ok_or(FlowError::NotFound)?;
    let prefixes = old.prefixes_of_generation();
    videos::doom(&mut *conn, &prefixes).await?;
    let mut wake = sweep(conn, owner, Some(group(id, old.generation)), prefixes).await?;
    wake.merge(begin(conn, &video).await?);
    Ok(Some(wake))
}

pub(super) async fn begin(conn: &mut PgConnection, video: &Video) -> Result<Wake, FlowError> {
    let probe = Probe {
        video: video.id,
        generation: video.generation,
    };
    let job = of_generation(NewJob::new(&probe), video);
    let mut wake = millrace_queue::enqueue(conn, job).await?.wake;
    wake.merge(videos::video_changed(conn, video.id, video.user_id).await?);
    Ok(wake)
}

/// Enqueues the deletion of what lies below `prefixes` (rows of `doomed_objects`), once the jobs of the group
/// `writers` have ended.
pub(super) async fn sweep(
    conn: &mut PgConnection,
    owner: UserId,
    writers: Option<Uuid>,
    prefixes: Vec<String>,
) -> Result<Wake, FlowError> {
    let job = NewJob::new(&DeleteObjects { writers, prefixes }).owner(owner.0);
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}

pub(super) async fn owned(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
) -> Result<Video, FlowError> {
    Video::of_owner(conn, id, owner)
        .await?
        .ok_or(FlowError::NotFound)
}
