//! Giving an upload up.

use axum::{extract::State, http::StatusCode};
use millrace_bus::Event;
use millrace_domain::{
    ids::UploadId,
    uploads::{Upload, UploadStatus},
    videos::topic_of_user,
};
use millrace_jobs::flows;

use crate::{
    app::App,
    auth::CurrentUser,
    input::Id,
    problem::{Problem, ProblemBody},
    relay::upload_event,
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
    let mut tx = app.db.begin().await?;
    let upload = Upload::lock(&mut *tx, id, owner)
        .await?
        .ok_or_else(Problem::not_found)?;
    if upload.status == UploadStatus::Completed {
        return Err(Problem::conflict(
            "conflict",
            "the upload became a video; delete that",
        ));
    }
    if let Some(mut wake) = flows::abort_upload(&mut tx, id, owner, &upload.key).await? {
        let data = upload_event(&upload, UploadStatus::Aborted, None);
        let topic = topic_of_user(owner);
        wake.merge(millrace_bus::publish(&mut tx, &[Event { topic, data }]).await?);
        tx.commit().await?;
        wake.fire(&app.notifier);
    }
    if let Some(s3_id) = &upload.s3_upload_id {
        app.storage.abort_multipart(&upload.key, s3_id).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}
