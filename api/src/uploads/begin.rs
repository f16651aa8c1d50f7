//! Beginning an upload: a record, and where to put the file.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    accounts,
    ids::{UploadId, UserId},
    uploads::{NewUpload, PartPlan, Upload, accept},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parts::{PartUrl, sign};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// Addresses of parts that the first answer brings.
const FIRST_PARTS: u32 = 20;

/// A file that is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateUploadRequest {
    #[schema(min_length = 1, max_length = 255)]
    filename: String,
    /// Bytes.
    #[schema(minimum = 1)]
    size: u64,
    /// As the browser knows it; may be empty.
    content_type: String,
}

/// Where to put the file.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
pub(super) enum UploadTarget {
    /// One PUT with exactly these headers.
    Single {
        upload_id: UploadId,
        url: String,
        headers: BTreeMap<String, String>,
    },
    /// A PUT for each part; each answer's `ETag` is for completing.
    Multipart {
        upload_id: UploadId,
        /// Bytes of every part but the last.
        part_size: u64,
        part_count: u32,
        /// The first of them; ask for the others when they are due.
        parts: Vec<PartUrl>,
    },
}

/// Begins an upload.
#[utoipa::path(
    post, path = "/api/uploads", operation_id = "create_upload", tag = "uploads", request_body = CreateUploadRequest,
    responses(
        (status = 201, body = UploadTarget),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `file_type_not_allowed` or `file_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn create_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CreateUploadRequest>,
) -> Result<(StatusCode, Json<UploadTarget>), Problem> {
    let mut check = Check::default();
    let filename = check.line("filename", &body.filename, 1, 255);
    check.that("size", body.size > 0, "must be at least 1");
    check.finish()?;
    let content_type = accept(&filename, &body.content_type).map_err(|why| {
        Problem::refused("file_type_not_allowed", why.to_string()).at("filename", why.to_string())
    })?;
    if body.size > app.settings.max_upload_size {
        let detail = format!(
            "files may have at most {} bytes",
            app.settings.max_upload_size
        );
        return Err(Problem::refused("file_too_large", detail.clone()).at("size", detail));
    }
    let owner = caller.user.id;
    if let Some(wait) = accounts::take(
        &app.db,
        &format!("upload:{owner}"),
        app.settings.upload_bucket,
    )
    .await?
    {
        return Err(Problem::throttled(wait));
    }
    let target = begin(&app, owner, filename, body.size, content_type).await?;
    Ok((StatusCode::CREATED, Json(target)))
}

async fn begin(
    app: &App,
    owner: UserId,
    filename: String,
    size: u64,
    content_type: String,
) -> Result<UploadTarget, Problem> {
    let id = UploadId::new();
    let key = NewUpload::key_of(id);
    let plan = (size > app.settings.single_put_limit).then(|| PartPlan::for_size(size));
    let multipart = match plan {
        None => None,
        Some(plan) => Some((
            app.storage.create_multipart(&key, &content_type).await?,
            plan.part_size,
        )),
    };
    let new = NewUpload {
        id,
        user: owner,
        filename,
        size,
        content_type,
        key,
        multipart,
        abandon_after: app.settings.abandon_after,
    };
    let upload = Upload::create(&app.db, new).await?;
    match plan {
        None => {
            let ttl = app.settings.upload_url_ttl;
            let put = app
                .storage
                .presign_put(&upload.key, &upload.content_type, size, ttl)
                .await?;
            Ok(UploadTarget::Single {
                upload_id: id,
                url: put.url,
                headers: put.headers.into_iter().collect(),
            })
        }
        Some(plan) => Ok(UploadTarget::Multipart {
            upload_id: id,
            part_size: plan.part_size,
            part_count: plan.part_count,
            parts: sign(app, &upload, 1..=plan.part_count.min(FIRST_PARTS)).await?,
        }),
    }
}
