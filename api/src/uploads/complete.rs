//! From bytes in the store to a video in the pipeline, once, however often it is asked for.
//!
//! The object comes first: parts are put together and its size is compared. Then one transaction says that the
//! upload is complete, inserts the video and enqueues its pipeline. When the answer or the transaction is lost
//! between the two, the next call finds the object there and goes on.

use axum::{Json, extract::State, http::StatusCode};
use millrace_bus::Event;
use millrace_domain::{
    ids::{UploadId, VideoId},
    storage::CompletedPart,
    uploads::{Upload, UploadStatus},
    videos::{NewVideo, Video, Visibility, topic_of_user},
};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{find, object::assemble};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    relay::upload_event,
    videos::VideoView,
};

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
        (status = 409, description = "`upload_incomplete`, or `conflict`: it is over", body = ProblemBody, content_type = "application/problem+json"),
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
        UploadStatus::Aborted | UploadStatus::Expired => {
            tx.rollback().await?;
            // The sweep may have passed before the parts were put together, and it does not come twice.
            let folder = upload.key.trim_end_matches("source");
            if let Err(error) = app.storage.delete_prefix(folder).await {
                tracing::warn!(%error, upload.id = %upload.id, "an aborted upload left its file behind");
            }
            return Err(over());
        }
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
