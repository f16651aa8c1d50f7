//! Giving an upload up.

use axum::{extract::State, http::StatusCode};
use millrace_domain::{ids::UploadId, uploads::UploadStatus};
use millrace_jobs::flows;

use super::find;
use crate::{
    app::App,
    auth::CurrentUser,
    input::Id,
    problem::{Problem, ProblemBody},
};

/// Gives an upload up.
#[utoipa::path(
    delete, path = "/api/uploads/{id}", operation_id = "abort_upload", tag = "uploads", params(("id" = UploadId, Path)),
    responses(
        (status = 204, description = "given up, or had been"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it became a video", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn abort_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
) -> Result<StatusCode, Problem> {
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    match flows::abort_upload(&mut tx, id, owner, None).await? {
        Some(wake) => {
            tx.commit().await?;
            wake.fire(&app.notifier);
        }
        None => tx.rollback().await?,
    }
    let upload = find(&app, id, owner).await?;
    if upload.status == UploadStatus::Completed {
        return Err(Problem::conflict(
            "conflict",
            "the upload became a video; delete that",
        ));
    }
    // Now rather than when the job comes: a transfer that still runs is refused at its next part.
    if let Some(s3_id) = &upload.s3_upload_id {
        app.storage.abort_multipart(&upload.key, s3_id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
