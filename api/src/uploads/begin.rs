//! Beginning an upload: room for it, a record, and where to put the file.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    accounts,
    ids::{UploadId, UserId},
    uploads::{
        NewUpload, Once, PartPlan, Quota, Received, Reserved, Upload, Usage, accept, clean_name,
        reserve,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::parts::{PartUrl, WholeUrl, sign, sign_whole};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// Addresses of parts that the first answer brings.
const FIRST_PARTS: usize = 20;

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
    /// What the client knows the file by, such as a hash of name, size and time: visible ASCII. While an upload of the
    /// same fingerprint and size is under way, that one is the answer instead of a second one.
    #[schema(min_length = 1, max_length = 200)]
    fingerprint: Option<String>,
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
        /// The first of those that are to be sent; ask for the others when they are due.
        parts: Vec<PartUrl>,
    },
}

/// A file that may be uploaded.
struct File {
    owner: UserId,
    filename: String,
    size: u64,
    content_type: String,
    fingerprint: Option<String>,
}

/// Begins an upload, or finds the one that was begun.
#[utoipa::path(
    post, path = "/api/uploads", operation_id = "create_upload", tag = "uploads", request_body = CreateUploadRequest,
    responses(
        (status = 201, body = UploadTarget),
        (status = 200, body = UploadTarget, description = "the fingerprint is that of an upload under way: this is where it goes on"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `file_type_not_allowed`, `file_too_large` or `quota_exceeded`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn create_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CreateUploadRequest>,
) -> Result<(StatusCode, Json<UploadTarget>), Problem> {
    let file = check_file(&app, caller.user.id, body)?;
    let key = format!("upload:{}", file.owner);
    if let Some(wait) = accounts::take(&app.db, &key, app.settings.upload_bucket).await? {
        return Err(Problem::throttled(wait));
    }
    if let Some(known) = known(&app, &file).await?
        && let Some(target) = resume(&app, &known).await?
    {
        return Ok((StatusCode::OK, Json(target)));
    }
    let (status, target) = begin(&app, file).await?;
    Ok((status, Json(target)))
}

fn check_file(app: &App, owner: UserId, body: CreateUploadRequest) -> Result<File, Problem> {
    let mut check = Check::default();
    let filename = clean_name(&check.line("filename", &body.filename, 1, 255));
    check.that("size", body.size > 0, "must be at least 1");
    if let Some(fingerprint) = &body.fingerprint {
        let sound = (1..=200).contains(&fingerprint.len())
            && fingerprint.bytes().all(|c| c.is_ascii_graphic());
        check.that(
            "fingerprint",
            sound,
            "must be 1 to 200 visible ASCII characters",
        );
    }
    check.finish()?;
    let content_type = accept(&filename, &body.content_type).map_err(|why| {
        Problem::refused("file_type_not_allowed", why.to_string()).at("filename", why.to_string())
    })?;
    let most = app.settings.max_upload_size;
    if body.size > most {
        let detail = format!("files may have at most {most} bytes");
        return Err(Problem::refused("file_too_large", detail.clone()).at("size", detail));
    }
    Ok(File {
        owner,
        filename,
        size: body.size,
        content_type,
        // Apart from what an import knows files by.
        fingerprint: body.fingerprint.map(|given| format!("client:{given}")),
    })
}

async fn known(app: &App, file: &File) -> Result<Option<Upload>, sqlx::Error> {
    match &file.fingerprint {
        None => Ok(None),
        Some(fingerprint) => {
            Upload::find_same(&app.db, file.owner, fingerprint, file.size, Once::Pending).await
        }
    }
}

/// Makes a place at the store, then the row. Dying in between leaves a place that nobody knows, which is swept.
async fn begin(app: &App, file: File) -> Result<(StatusCode, UploadTarget), Problem> {
    // So that what would not fit leaves nothing at the store. What decides comes under the lock.
    let usage = Usage::of(&app.db, file.owner, app.settings.quota).await?;
    if !usage.fits(file.size) {
        return Err(Problem::quota_exceeded(file.size, usage));
    }
    let id = UploadId::new();
    let key = NewUpload::key_of(id);
    let plan = (file.size > app.settings.single_put_limit).then(|| PartPlan::for_size(file.size));
    let multipart = match plan {
        None => None,
        Some(plan) => Some((
            app.storage
                .create_multipart(&key, &file.content_type)
                .await?,
            plan.part_size,
        )),
    };
    let size = file.size;
    let new = NewUpload {
        id,
        user: file.owner,
        filename: file.filename,
        size,
        content_type: file.content_type,
        key: key.clone(),
        multipart: multipart.clone(),
        abandon_after: app.settings.abandon_after,
        fingerprint: file.fingerprint,
        once: Once::Pending,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let reserved = reserve(&mut tx, new, Quota::Kept(app.settings.quota)).await?;
    tx.commit().await?;
    if let (Reserved::Known(_) | Reserved::OverQuota(_), Some((s3_id, _))) = (&reserved, &multipart)
        && let Err(error) = app.storage.abort_multipart(&key, s3_id).await
    {
        tracing::warn!(%error, "a place for parts is left at the store until it is swept");
    }
    match reserved {
        Reserved::New(upload) => {
            let first = plan.map_or(0, |plan| plan.part_count);
            Ok((StatusCode::CREATED, target(app, &upload, 1..=first).await?))
        }
        // Another call with this fingerprint was faster, by less than its upload lasts.
        Reserved::Known(upload) => match resume(app, &upload).await? {
            Some(target) => Ok((StatusCode::OK, target)),
            None => Err(super::over()),
        },
        Reserved::OverQuota(usage) => Err(Problem::quota_exceeded(size, usage)),
    }
}

/// Where an upload goes on that was begun before; `None` if it ended meanwhile.
async fn resume(app: &App, upload: &Upload) -> Result<Option<UploadTarget>, Problem> {
    if !Upload::keep(&app.db, upload.id, app.settings.abandon_after).await? {
        return Ok(None);
    }
    let missing = match upload.s3_upload_id {
        Some(_) => Received::of(&app.storage, upload).await?.missing,
        None => Vec::new(),
    };
    target(app, upload, missing).await.map(Some)
}

async fn target(
    app: &App,
    upload: &Upload,
    missing: impl IntoIterator<Item = u32>,
) -> Result<UploadTarget, Problem> {
    let upload_id = upload.id;
    let Some(plan) = upload.parts() else {
        let WholeUrl { url, headers } = sign_whole(app, upload).await?;
        return Ok(UploadTarget::Single {
            upload_id,
            url,
            headers,
        });
    };
    Ok(UploadTarget::Multipart {
        upload_id,
        part_size: plan.part_size,
        part_count: plan.part_count,
        parts: sign(app, upload, missing.into_iter().take(FIRST_PARTS)).await?,
    })
}
