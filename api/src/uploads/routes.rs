//! Begin an upload, ask how far it is, get further addresses, give it up, complete it.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
};
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_bus::Event;
use millrace_domain::{
    accounts,
    ids::{UploadId, UserId, VideoId},
    storage::{CompletedPart, StorageError},
    uploads::{Method, NewUpload, PartPlan, Upload, UploadStatus, accept},
    videos::{Visibility, topic_of_user},
};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::complete::{self, Details};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    relay::upload_event,
    videos::VideoView,
};

/// Addresses of parts that the first answer brings.
const FIRST_PARTS: u32 = 20;
/// Addresses of parts that one call may ask for.
const MOST_PARTS: usize = 100;

/// Bytes of a body that lists parts: up to 9,000 of them.
const PART_LIST: usize = 2 * 1024 * 1024;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_upload))
        .routes(routes!(get_upload, abort_upload))
        .routes(routes!(sign_parts))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(complete_upload))
                .layer(DefaultBodyLimit::max(PART_LIST)),
        )
}

/// A file that is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateUploadRequest {
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
enum UploadTarget {
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

/// Where to put a part.
#[derive(Debug, Serialize, ToSchema)]
struct PartUrl {
    /// Counts from 1.
    part_number: u32,
    url: String,
}

/// Addresses of parts.
#[derive(Debug, Serialize, ToSchema)]
struct PartUrls {
    parts: Vec<PartUrl>,
}

/// Parts whose addresses are wanted.
#[derive(Debug, Deserialize, ToSchema)]
struct SignPartsRequest {
    #[schema(min_items = 1, max_items = 100)]
    part_numbers: Vec<u32>,
}

/// A part that has arrived.
#[derive(Debug, Serialize, ToSchema)]
struct Part {
    part_number: i32,
    etag: String,
    /// Bytes.
    size: u64,
}

/// How far an upload is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
struct UploadView {
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

/// What the video is to be called.
#[derive(Debug, Deserialize, ToSchema)]
struct CompleteUploadRequest {
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
async fn create_upload(
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

async fn sign(
    app: &App,
    upload: &Upload,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<Vec<PartUrl>, Problem> {
    let s3_id = upload.s3_upload_id.as_deref().unwrap_or_default();
    let urls = stream::iter(numbers).then(|part_number| async move {
        let number = i32::try_from(part_number)?;
        let url = app
            .storage
            .presign_part(&upload.key, s3_id, number, app.settings.upload_url_ttl)
            .await?;
        Ok::<_, Problem>(PartUrl { part_number, url })
    });
    urls.try_collect().await
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
async fn get_upload(
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

/// Addresses for further parts.
#[utoipa::path(
    post, path = "/api/uploads/{id}/parts", operation_id = "sign_upload_parts", tag = "uploads",
    params(("id" = UploadId, Path)), request_body = SignPartsRequest,
    responses(
        (status = 200, body = PartUrls),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it is over, or has no parts", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn sign_parts(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
    Body(body): Body<SignPartsRequest>,
) -> Result<Json<PartUrls>, Problem> {
    let upload = find(&app, id, caller.user.id).await?;
    let Some(plan) = upload.parts() else {
        return Err(Problem::conflict("conflict", "this upload has no parts"));
    };
    let mut check = Check::default();
    let count = body.part_numbers.len();
    check.that(
        "part_numbers",
        (1..=MOST_PARTS).contains(&count),
        "must be 1 to 100 numbers",
    );
    let known = body.part_numbers.iter().all(|&n| plan.has(n));
    check.that(
        "part_numbers",
        known,
        &format!("must be from 1 to {}", plan.part_count),
    );
    check.finish()?;
    if !Upload::keep(&app.db, id, app.settings.abandon_after).await? {
        return Err(Problem::conflict("conflict", "the upload is over"));
    }
    let parts = sign(&app, &upload, body.part_numbers).await?;
    Ok(Json(PartUrls { parts }))
}

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
async fn abort_upload(
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
async fn complete_upload(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
    Body(body): Body<CompleteUploadRequest>,
) -> Result<(StatusCode, Json<VideoView>), Problem> {
    let details = check_details(body)?;
    let upload = find(&app, id, caller.user.id).await?;
    let video = complete::complete(&app, &upload, details).await?;
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

async fn find(app: &App, id: UploadId, owner: UserId) -> Result<Upload, Problem> {
    Upload::find(&app.db, id, owner)
        .await?
        .ok_or_else(Problem::not_found)
}
