//! The ends of an upload: it becomes a video, or nothing.

use millrace_domain::{
    ids::{UploadId, UserId},
    uploads::{Upload, UploadStatus, upload_changed},
    videos::{self, NewVideo},
};
use millrace_queue::Wake;
use sqlx::PgConnection;

use super::{
    FlowError,
    video::{start_video, sweep},
};

/// What became of a completion.
#[derive(Debug)]
pub enum Completion {
    /// The video was begun now.
    Begun(Wake),
    /// The upload was over already: it became a video, or nothing. Nothing was changed.
    Over(Box<Upload>),
}

/// Makes the pending upload that `new` names a video and enqueues its pipeline. The upload's row lock puts two
/// completions, an abort and the sweep in order: whoever comes second finds what the first one did.
///
/// # Errors
/// [`FlowError`]; the transaction is then of no use.
pub async fn complete_upload(
    conn: &mut PgConnection,
    new: &NewVideo,
) -> Result<Completion, FlowError> {
    let upload = Upload::lock(&mut *conn, new.upload_id, new.user_id)
        .await?
        .ok_or(FlowError::NotFound)?;
    if upload.status != UploadStatus::Pending {
        return Ok(Completion::Over(Box::new(upload)));
    }
    Upload::complete(&mut *conn, upload.id, new.id).await?;
    let mut wake = start_video(&mut *conn, new)
        .await?
        .ok_or(FlowError::NotFound)?;
    let done = UploadStatus::Completed;
    wake.merge(upload_changed(conn, &upload, done, Some(new.id)).await?);
    Ok(Completion::Begun(wake))
}

/// Gives a pending upload up, for its owner or for a reason that has the code `why`: what has arrived of it is deleted
/// by a job. `None` if it was over already. A PUT that is under way meanwhile leaves an object without a row, which is
/// garbage like any other.
///
/// # Errors
/// [`FlowError`]
pub async fn abort_upload(
    conn: &mut PgConnection,
    upload: UploadId,
    owner: UserId,
    why: Option<&str>,
) -> Result<Option<Wake>, FlowError> {
    let upload = Upload::lock(&mut *conn, upload, owner)
        .await?
        .filter(|upload| upload.status == UploadStatus::Pending);
    match upload {
        Some(upload) => end(conn, &upload, UploadStatus::Aborted, why)
            .await
            .map(Some),
        None => Ok(None),
    }
}

/// Ends one upload of which nothing was heard for too long, and says which; `None` if there is none.
///
/// # Errors
/// [`FlowError`]
pub async fn expire_upload(conn: &mut PgConnection) -> Result<Option<(UploadId, Wake)>, FlowError> {
    let Some(upload) = Upload::lock_abandoned(&mut *conn).await? else {
        return Ok(None);
    };
    let wake = end(conn, &upload, UploadStatus::Expired, None).await?;
    Ok(Some((upload.id, wake)))
}

/// Ends a pending upload whose row is locked.
async fn end(
    conn: &mut PgConnection,
    upload: &Upload,
    status: UploadStatus,
    why: Option<&str>,
) -> Result<Wake, FlowError> {
    Upload::give_up(&mut *conn, upload.id, status, why).await?;
    let folder = upload.folder().to_owned();
    videos::doom(&mut *conn, std::slice::from_ref(&folder)).await?;
    let mut wake = sweep(&mut *conn, upload.user, None, vec![folder]).await?;
    wake.merge(upload_changed(conn, upload, status, None).await?);
    Ok(wake)
}
