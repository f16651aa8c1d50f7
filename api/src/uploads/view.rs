//! How far an upload is, by the store's own list of parts.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{UploadId, VideoId},
    storage::StorageError,
    uploads::{Method, UploadStatus},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::find;
use crate::{
    app::App,
    auth::CurrentUser,
    input::Id,
    problem::{Problem, ProblemBody},
};

/// A part that has arrived.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Part {
    part_number: i32,
    etag: String,
    /// Bytes.
    size: u64,
}

/// How far an upload is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub(super) struct UploadView {
    id: UploadId,
    status: UploadStatus,
    filename: String,
    /// Bytes.
    size: u64,
    method: Method,
    #[schema(required)]
    part_size: Option<u64>,
    #[schema(required)]
    part_count: Option<u32>,
    /// Those that have arrived, as the store tells.
    parts: Vec<Part>,
    #[schema(required)]
    video_id: Option<VideoId>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// How far an upload is: what to send after a reload.
#[utoipa::path(
    get, path = "/api/uploads/{id}", operation_id = "get_upload", tag = "uploads", params(("id" = UploadId, Path)),
    responses(
        (status = 200, body = UploadView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
) -> Result<Json<UploadView>, Problem> {
    let upload = find(&app, id, caller.user.id).await?;
    let parts = match &upload.s3_upload_id {
        Some(s3_id) if upload.status == UploadStatus::Pending => {
            match app.storage.list_parts(&upload.key, s3_id).await {
                Ok(parts) => parts,
                Err(StorageError::NotFound(_)) => Vec::new(),
                Err(error) => return Err(error.into()),
            }
        }
        _ => Vec::new(),
    };
    let plan = upload.parts();
    Ok(Json(UploadView {
        id,
        status: upload.status,
        filename: upload.filename,
        size: upload.size,
        method: upload.method,
        part_size: plan.map(|plan| plan.part_size),
        part_count: plan.map(|plan| plan.part_count),
        parts: parts
            .into_iter()
            .map(|part| Part {
                part_number: part.part_number,
                etag: part.etag,
                size: part.size,
            })
            .collect(),
        video_id: upload.video,
        created_at: upload.created_at,
        expires_at: upload.expires_at,
    }))
}
