//! From bytes in the store to another source of a video: the end of an upload that becomes no video of its own.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::{UploadId, VideoId},
    uploads::{AssembleError, Upload, UploadStatus, assemble},
    videos::{NewSourceFile, Video},
};
use millrace_jobs::flows::{self, Completion};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{complete::refuse_size, find, over};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Id},
    problem::{Problem, ProblemBody},
    videos::{VideoView, refusal},
};

/// The file that is to be the source.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ReplaceSourceRequest {
    /// An upload all bytes of which are there.
    upload_id: UploadId,
}

/// Replaces the source of a ready video by an upload. The old one plays until the new one is ready, and goes on playing
/// if it fails. The same answer when repeated.
#[utoipa::path(
    post, path = "/api/videos/{id}/source", operation_id = "replace_source", tag = "videos", params(("id" = VideoId, Path)),
    request_body = ReplaceSourceRequest,
    responses(
        (status = 202, description = "it is being processed", body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`upload_incomplete`; `upload_over`; or `conflict`: the video is not ready, or the upload became another one", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `upload_size_mismatch`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn replace_source(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<ReplaceSourceRequest>,
) -> Result<(StatusCode, Json<VideoView>), Problem> {
    let owner = caller.user.id;
    Video::of_owner(&app.db, id, owner)
        .await?
        .ok_or_else(Problem::not_found)?;
    let upload = find(&app, body.upload_id, owner).await?;
    if upload.status == UploadStatus::Pending {
        take(&app, id, &upload).await?;
    } else {
        repeated(&upload, id)?;
    }
    let mut conn = app.db.acquire().await?;
    let video = Video::of_owner(&mut *conn, id, owner)
        .await?
        .ok_or_else(Problem::not_found)?;
    let view = VideoView::of(&mut conn, &video, &app.playback).await?;
    Ok((StatusCode::ACCEPTED, Json(view)))
}

/// An upload that is over: it may have become this video's source before.
fn repeated(upload: &Upload, video: VideoId) -> Result<(), Problem> {
    match (upload.status, upload.video) {
        (UploadStatus::Completed, Some(became)) if became == video => Ok(()),
        (UploadStatus::Completed, _) => Err(Problem::conflict(
            "conflict",
            "the upload became another video",
        )),
        _ => Err(over()),
    }
}

async fn take(app: &App, video: VideoId, upload: &Upload) -> Result<(), Problem> {
    // A sign of life: the sweep does not come between here and the transaction.
    Upload::keep(&app.db, upload.id, app.settings.abandon_after).await?;
    let object = match assemble(&app.storage, upload, None).await {
        Ok(object) => object,
        Err(AssembleError::Storage(error)) => return Err(error.into()),
        Err(error) => return Err(Problem::conflict("upload_incomplete", error.to_string())),
    };
    if object.size != upload.size {
        return refuse_size(app, upload).await.map(drop);
    }
    let new = NewSourceFile {
        video,
        upload: upload.id,
        key: upload.key.clone(),
        etag: object.etag,
        name: upload.filename.clone(),
        size: i64::try_from(object.size).unwrap_or(i64::MAX),
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    match flows::replace_source(&mut tx, &new, upload.user)
        .await
        .map_err(refusal)?
    {
        Completion::Begun(wake) => {
            tx.commit().await?;
            app.playback.forget(video).await;
            wake.fire(&app.notifier);
            Ok(())
        }
        Completion::Over(upload) => repeated(&upload, video),
    }
}
