//! From bytes in the store to a video in the pipeline, once, however often it is asked for.
//!
//! The object comes first: parts are put together and its size is compared. Then one transaction says that the
//! upload is complete, inserts the video and enqueues its pipeline. When the answer or the transaction is lost
//! between the two, the next call finds the object there and goes on.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::{UploadId, VideoId},
    storage::CompletedPart,
    uploads::{AssembleError, Upload, UploadStatus, assemble},
    videos::{NewVideo, Video, Visibility},
};
use millrace_jobs::flows::{self, Completion};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{find, over};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    videos::VideoView,
};

/// The code of an upload whose file has another size than announced.
const SIZE_MISMATCH: &str = "upload_size_mismatch";

/// What the video is to be called.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CompleteUploadRequest {
    #[schema(min_length = 1, max_length = 100)]
    title: String,
    #[schema(max_length = 5000)]
    description: Option<String>,
    /// `public` unless said.
    visibility: Option<Visibility>,
    /// The parts that were sent; left out, those that have arrived.
    parts: Option<Vec<SentPart>>,
}

/// A part as the client sent it.
#[derive(Debug, Deserialize, ToSchema)]
struct SentPart {
    part_number: i32,
    etag: String,
}

/// What the video is to be called, checked.
#[derive(Debug, Clone)]
struct Details {
    title: String,
    description: String,
    visibility: Visibility,
    /// Parts as the client knows them; the store's own list if it says nothing.
    parts: Option<Vec<CompletedPart>>,
}

/// Says that all bytes are there: the upload becomes a video. The same answer when repeated.
#[utoipa::path(
    post, path = "/api/uploads/{id}/complete", operation_id = "complete_upload", tag = "uploads",
    params(("id" = UploadId, Path)), request_body = CompleteUploadRequest,
    responses(
        (status = 201, body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`upload_incomplete`; `upload_over`: it was aborted or has expired; or `conflict`: its video was deleted", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `upload_size_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn complete_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
    Body(body): Body<CompleteUploadRequest>,
) -> Result<(StatusCode, Json<VideoView>), Problem> {
    let details = check_details(body)?;
    let upload = find(&app, id, caller.user.id).await?;
    let video = complete(&app, &upload, details).await?;
    let mut conn = app.db.acquire().await?;
    let view = VideoView::of(&mut conn, &video, &app.playback).await?;
    Ok((StatusCode::CREATED, Json(view)))
}

fn check_details(body: CompleteUploadRequest) -> Result<Details, Problem> {
    let mut check = Check::default();
    let title = check.line("title", &body.title, 1, 100);
    let description = check.text(
        "description",
        body.description.as_deref().unwrap_or_default(),
        5_000,
    );
    let plain = |etag: &str| {
        !etag.is_empty() && etag.len() <= 200 && etag.bytes().all(|c| c.is_ascii_graphic())
    };
    let parts = body.parts.filter(|parts| !parts.is_empty());
    let sound = parts
        .iter()
        .flatten()
        .all(|part| part.part_number > 0 && plain(&part.etag));
    check.that("parts", sound, "each needs a number from 1 and an ETag");
    check.finish()?;
    let parts = parts.map(|parts| {
        let sent = |part: SentPart| CompletedPart {
            part_number: part.part_number,
            etag: part.etag,
        };
        parts.into_iter().map(sent).collect()
    });
    Ok(Details {
        title,
        description,
        visibility: body.visibility.unwrap_or(Visibility::Public),
        parts,
    })
}

/// Completes an upload and returns its video.
async fn complete(app: &App, upload: &Upload, details: Details) -> Result<Video, Problem> {
    // A sign of life: the sweep does not come between here and the transaction.
    if !Upload::keep(&app.db, upload.id, app.settings.abandon_after).await? {
        return ended(app, &find(app, upload.id, upload.user).await?).await;
    }
    let object = match assemble(&app.storage, upload, details.parts.as_deref()).await {
        Ok(object) => object,
        Err(AssembleError::Storage(error)) => return Err(error.into()),
        Err(error) => {
            // It may be an abort that took the parts away.
            let now = find(app, upload.id, upload.user).await?;
            if now.status != UploadStatus::Pending {
                return ended(app, &now).await;
            }
            let detail = error.to_string();
            return Err(Problem::conflict("upload_incomplete", detail));
        }
    };
    if object.size != upload.size {
        return refuse_size(app, upload).await;
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

/// The transaction.
async fn record(app: &App, upload: &Upload, new: &NewVideo) -> Result<Video, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = match flows::complete_upload(&mut tx, new).await? {
        Completion::Begun(wake) => wake,
        Completion::Over(upload) => {
            tx.rollback().await?;
            return ended_meanwhile(app, &upload).await;
        }
    };
    let video = Video::find(&mut *tx, new.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    tracing::info!(video.id = %video.id, upload.id = %upload.id, bytes = video.file_size, "an upload became a video");
    Ok(video)
}

/// What arrived is not the file that was announced: the upload is over, and a job deletes it. What it reserved is free.
pub(super) async fn refuse_size(app: &App, upload: &Upload) -> Result<Video, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    match flows::abort_upload(&mut tx, upload.id, upload.user, Some(SIZE_MISMATCH)).await? {
        Some(wake) => {
            tx.commit().await?;
            wake.fire(&app.notifier);
            tracing::info!(upload.id = %upload.id, "an upload has another size than announced");
        }
        None => tx.rollback().await?,
    }
    ended_meanwhile(app, &find(app, upload.id, upload.user).await?).await
}

/// The answer for an upload that ended while its parts were put together. Whoever ended it without a video may have
/// deleted what was there before that, and does not come twice.
async fn ended_meanwhile(app: &App, upload: &Upload) -> Result<Video, Problem> {
    if upload.status != UploadStatus::Completed
        && let Err(error) = app.storage.delete_prefix(upload.folder()).await
    {
        tracing::warn!(%error, upload.id = %upload.id, "an upload that is over left its file behind");
    }
    ended(app, upload).await
}

/// The answer for an upload that is over: its video, or why there is none.
async fn ended(app: &App, upload: &Upload) -> Result<Video, Problem> {
    if upload.status == UploadStatus::Completed {
        let video = Video::of_upload(&app.db, upload.id).await?;
        return video
            .ok_or_else(|| Problem::conflict("conflict", "the video of this upload was deleted"));
    }
    if upload.error_code.as_deref() == Some(SIZE_MISMATCH) {
        let detail = format!("the file does not have {} bytes, as was said", upload.size);
        return Err(Problem::refused(SIZE_MISMATCH, detail));
    }
    Err(over())
}
