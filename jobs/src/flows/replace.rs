//! Another source in place of a video's own: a new generation, while the old one plays.

use millrace_domain::{
    ids::UserId,
    uploads::{Upload, UploadStatus, upload_changed},
    videos::{self, NewSourceFile, Status},
};
use sqlx::PgConnection;

use super::{
    Completion, FlowError,
    copies::drop_copies,
    video::{begin, owned},
};

/// Makes the pending upload that `new` names the source of a ready video and enqueues its pipeline. What was ready
/// plays until the new one is; if that fails, it goes on playing.
///
/// # Errors
/// [`FlowError::WrongState`] unless the video is ready; the transaction is then of no use.
pub async fn replace_source(
    conn: &mut PgConnection,
    new: &NewSourceFile,
    owner: UserId,
) -> Result<Completion, FlowError> {
    let upload = Upload::lock(&mut *conn, new.upload, owner)
        .await?
        .ok_or(FlowError::NotFound)?;
    if upload.status != UploadStatus::Pending {
        return Ok(Completion::Over(Box::new(upload)));
    }
    let old = owned(&mut *conn, new.video, owner).await?;
    if old.status != Status::Ready {
        return Err(FlowError::WrongState(old.status));
    }
    let mut wake = drop_copies(&mut *conn, &old).await?;
    Upload::complete(&mut *conn, upload.id, new.video).await?;
    if !videos::replace(&mut *conn, new).await? {
        return Err(FlowError::WrongState(Status::Processing));
    }
    let video = owned(&mut *conn, new.video, owner).await?;
    wake.merge(begin(&mut *conn, &video).await?);
    let done = UploadStatus::Completed;
    wake.merge(upload_changed(conn, &upload, done, Some(new.video)).await?);
    Ok(Completion::Begun(wake))
}
