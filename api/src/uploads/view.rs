//! How far uploads are, by the store's own list of parts.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, stream};
use millrace_domain::{
    ids::{UploadId, VideoId},
    uploads::{Method, Received, Upload, UploadStatus},
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

/// Uploads that the list shows.
const LISTED: i64 = 100;
/// Uploads of the list for which the store is asked, and how many at a time.
const MEASURED: usize = 20;
const AT_ONCE: usize = 5;

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
    /// Why it was aborted, if not by its owner: `upload_size_mismatch`.
    #[schema(required)]
    error_code: Option<String>,
    filename: String,
    /// Bytes.
    size: u64,
    method: Method,
    #[schema(required)]
    part_size: Option<u64>,
    #[schema(required)]
    part_count: Option<u32>,
    /// Those that have arrived, as the store tells; not in lists.
    parts: Vec<Part>,
    /// Numbers of the parts that are to be sent; not in lists. None: only the completion is.
    missing: Vec<u32>,
    /// Bytes that have arrived, as the store tells; null when it was not asked.
    #[schema(required)]
    received_bytes: Option<u64>,
    #[schema(required)]
    video_id: Option<VideoId>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// A person's uploads.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UploadList {
    items: Vec<UploadView>,
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
    let (parts, missing, bytes) = match Received::of(&app.storage, &upload).await {
        Ok(received) => (received.parts, received.missing, Some(received.bytes)),
        // Nothing depends on it: the one PUT is sent again, or the completion finds out.
        Err(_) if upload.method == Method::Single => (Vec::new(), Vec::new(), None),
        Err(error) => return Err(error.into()),
    };
    let part = |part: millrace_domain::storage::ReceivedPart| Part {
        part_number: part.part_number,
        etag: part.etag,
        size: part.size,
    };
    Ok(Json(UploadView {
        parts: parts.into_iter().map(part).collect(),
        missing,
        received_bytes: bytes.filter(|_| upload.status == UploadStatus::Pending),
        ..UploadView::from(upload)
    }))
}

/// The caller's uploads that are under way or were left, newest first, at most 100.
#[utoipa::path(
    get, path = "/api/uploads", operation_id = "list_uploads", tag = "uploads",
    responses(
        (status = 200, body = UploadList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_uploads(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<UploadList>, Problem> {
    let uploads = Upload::pending(&app.db, caller.user.id, LISTED).await?;
    let views = stream::iter(uploads.into_iter().enumerate())
        .map(async |(index, upload)| measured(&app, upload, index < MEASURED).await)
        .buffered(AT_ONCE);
    Ok(Json(UploadList {
        items: views.collect().await,
    }))
}

/// A list is shown without its figures rather than not at all.
async fn measured(app: &App, upload: Upload, ask: bool) -> UploadView {
    let received = if ask {
        Received::of(&app.storage, &upload).await.ok()
    } else {
        None
    };
    UploadView {
        received_bytes: received.map(|received| received.bytes),
        ..UploadView::from(upload)
    }
}

/// Without what the store knows.
impl From<Upload> for UploadView {
    fn from(upload: Upload) -> Self {
        let plan = upload.parts();
        Self {
            id: upload.id,
            status: upload.status,
            error_code: upload.error_code,
            filename: upload.filename,
            size: upload.size,
            method: upload.method,
            part_size: plan.map(|plan| plan.part_size),
            part_count: plan.map(|plan| plan.part_count),
            parts: Vec::new(),
            missing: Vec::new(),
            received_bytes: None,
            video_id: upload.video,
            created_at: upload.created_at,
            expires_at: upload.expires_at,
        }
    }
}
