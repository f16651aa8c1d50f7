//! From bytes in the store to a video in the pipeline, once, however often it is asked for.
//!
//! The object comes first: parts are put together and its size is compared. Then one transaction says that the
//! upload is complete, inserts the video and enqueues its pipeline. When the answer or the transaction is lost
//! between the two, the next call finds the object there and goes on.

use millrace_bus::Event;
use millrace_domain::{
    ids::VideoId,
    storage::{CompletedPart, ObjectHead, StorageError},
    uploads::{Upload, UploadStatus},
    videos::{NewVideo, Video, Visibility, topic_of_user},
};
use millrace_jobs::flows;

use crate::{app::App, problem::Problem, relay::upload_event};

/// What the video is to be called, checked.
#[derive(Debug, Clone)]
pub(super) struct Details {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) visibility: Visibility,
    /// Parts as the client knows them; the store's own list if it says nothing.
    pub(super) parts: Option<Vec<CompletedPart>>,
}

/// Completes an upload and returns its video.
pub(super) async fn complete(
    app: &App,
    upload: &Upload,
    details: Details,
) -> Result<Video, Problem> {
    match upload.status {
        UploadStatus::Pending => {}
        UploadStatus::Completed => return video_of(app, upload).await,
        UploadStatus::Aborted | UploadStatus::Expired => return Err(over()),
    }
    let object = assemble(app, upload, details.parts.as_deref()).await?;
    if object.size != upload.size {
        let detail = format!(
            "the file has {} bytes, not {} as was said",
            object.size, upload.size
        );
        return Err(Problem::refused("upload_size_mismatch", detail));
    }
    let new = NewVideo {
        id: VideoId::new(),
        user_id: upload.user,
        upload_id: upload.id,
        title: details.title,
        description: details.description,
        visibility: details.visibility,
        original_key: upload.key.clone(),
        original_etag: object.etag,
        original_name: upload.filename.clone(),
        file_size: i64::try_from(object.size).unwrap_or(i64::MAX),
    };
    record(app, upload, &new).await
}

/// The transaction. The upload's row lock puts two completions in order: the second finds the first's video.
async fn record(app: &App, upload: &Upload, new: &NewVideo) -> Result<Video, Problem> {
    let mut tx = app.db.begin().await?;
    let locked = Upload::lock(&mut *tx, upload.id, upload.user)
        .await?
        .ok_or_else(Problem::not_found)?;
    match locked.status {
        UploadStatus::Pending => {}
        UploadStatus::Completed => {
            tx.rollback().await?;
            return video_of(app, upload).await;
        }
        UploadStatus::Aborted | UploadStatus::Expired => return Err(over()),
    }
    Upload::complete(&mut *tx, upload.id, new.id).await?;
    let Some(mut wake) = flows::start_video(&mut tx, new).await? else {
        tx.rollback().await?;
        return video_of(app, upload).await;
    };
    let event = Event {
        topic: topic_of_user(upload.user),
        data: upload_event(upload, UploadStatus::Completed, Some(new.id)),
    };
    wake.merge(millrace_bus::publish(&mut tx, &[event]).await?);
    let video = Video::find(&mut *tx, new.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    tracing::info!(video.id = %video.id, upload.id = %upload.id, bytes = video.file_size, "an upload became a video");
    Ok(video)
}

async fn video_of(app: &App, upload: &Upload) -> Result<Video, Problem> {
    let video = Video::of_upload(&app.db, upload.id).await?;
    video.ok_or_else(|| Problem::conflict("conflict", "the video of this upload was deleted"))
}

fn over() -> Problem {
    Problem::conflict("conflict", "the upload was aborted or has expired")
}

/// The object of the upload, its parts put together if they were not yet.
async fn assemble(
    app: &App,
    upload: &Upload,
    given: Option<&[CompletedPart]>,
) -> Result<ObjectHead, Problem> {
    if let Some(object) = app.storage.head(&upload.key).await? {
        return Ok(object);
    }
    let (Some(s3_id), Some(plan)) = (&upload.s3_upload_id, upload.parts()) else {
        return Err(incomplete("the file has not arrived"));
    };
    let mut parts = match given {
        Some(parts) => parts.to_vec(),
        None => received(app, upload, s3_id).await?,
    };
    parts.sort_by_key(|part| part.part_number);
    let whole = parts.len() == plan.part_count as usize
        && parts.iter().zip(1..).all(|(part, n)| part.part_number == n);
    if !whole {
        let detail = format!("{} of {} parts have arrived", parts.len(), plan.part_count);
        return Err(Problem::conflict("upload_incomplete", detail));
    }
    match app
        .storage
        .complete_multipart(&upload.key, s3_id, &parts)
        .await
    {
        // Gone: a call whose answer was lost may have completed it. The object tells.
        Ok(()) | Err(StorageError::NotFound(_)) => {}
        Err(StorageError::Refused { code, .. }) => {
            let detail = format!("the store did not accept the parts: {code}");
            return Err(Problem::conflict("upload_incomplete", detail));
        }
        Err(error) => return Err(error.into()),
    }
    let object = app.storage.head(&upload.key).await?;
    object.ok_or_else(|| incomplete("the parts are gone"))
}

async fn received(app: &App, upload: &Upload, s3_id: &str) -> Result<Vec<CompletedPart>, Problem> {
    let parts = match app.storage.list_parts(&upload.key, s3_id).await {
        Ok(parts) => parts,
        Err(StorageError::NotFound(_)) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(parts
        .into_iter()
        .map(|part| CompletedPart {
            part_number: part.part_number,
            etag: part.etag,
        })
        .collect())
}

fn incomplete(detail: &'static str) -> Problem {
    Problem::conflict("upload_incomplete", detail)
}
