//! A person's picture: from the browser to the store, made small by a job, and shown to everybody.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use millrace_domain::{
    accounts::{Avatar, AvatarStatus, picture},
    ids::AvatarId,
    storage::GetOptions,
};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::{CurrentUser, throttle},
    input::{Body, Check, Id, Segments},
    problem::{Problem, ProblemBody},
};

/// How long a browser may keep the address of a picture. Another picture has another address.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=3600");
/// How long the store's address is good for, at least: longer than it is kept.
const GOOD_FOR: std::time::Duration = std::time::Duration::from_secs(6 * 3600);

/// A picture that is to be sent.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateAvatarRequest {
    /// `image/jpeg`, `image/png` or `image/webp`.
    content_type: String,
    /// Bytes; up to 8 MiB.
    #[schema(minimum = 1, maximum = 8_388_608)]
    size: u64,
}

/// Where to put it: one PUT with exactly these headers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AvatarTarget {
    avatar_id: AvatarId,
    url: String,
    headers: BTreeMap<String, String>,
}

/// How far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Avatar)]
pub(super) struct AvatarView {
    avatar_id: AvatarId,
    status: AvatarStatus,
    /// Why it failed: `picture_unreadable`, `picture_too_large`.
    #[schema(required)]
    error: Option<String>,
}

/// Begins to send a picture of oneself.
#[utoipa::path(
    post, path = "/api/me/avatar", operation_id = "create_avatar", tag = "accounts", request_body = CreateAvatarRequest,
    responses(
        (status = 201, body = AvatarTarget),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn create_avatar(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CreateAvatarRequest>,
) -> Result<(StatusCode, Json<AvatarTarget>), Problem> {
    let mut check = Check::default();
    let kind = body.content_type.as_str();
    let known = picture::TYPES.contains(&kind);
    check.that("content_type", known, "must be a JPEG, PNG or WebP picture");
    let fits = (1..=picture::MAX_BYTES).contains(&body.size);
    check.that("size", fits, "must be 1 byte to 8 MiB");
    check.finish()?;
    let user = caller.user.id;
    throttle(&app, &format!("avatar:{user}"), app.settings.avatar_bucket).await?;
    let id = Avatar::begin(&app.db, user, kind, body.size).await?;
    let key = Avatar::source_key(id);
    let ttl = app.settings.upload_url_ttl;
    let signed = app.storage.presign_put(&key, kind, body.size, ttl).await?;
    let target = AvatarTarget {
        avatar_id: id,
        url: signed.url,
        headers: signed.headers.into_iter().collect(),
    };
    Ok((StatusCode::CREATED, Json(target)))
}

/// Says that the file is there: a job makes it small, and then it is shown. The same answer when repeated.
#[utoipa::path(
    post, path = "/api/me/avatar/{id}/complete", operation_id = "complete_avatar", tag = "accounts",
    params(("id" = AvatarId, Path)),
    responses(
        (status = 202, body = AvatarView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`upload_incomplete`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn complete_avatar(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<AvatarId>,
) -> Result<(StatusCode, Json<AvatarView>), Problem> {
    let avatar = own(&app, &caller, id).await?;
    if avatar.status == AvatarStatus::Pending {
        let head = app.storage.head(&Avatar::source_key(id)).await?;
        if head.is_none_or(|head| head.size != avatar.size) {
            let detail = "the picture has not arrived";
            return Err(Problem::conflict("upload_incomplete", detail));
        }
        let mut tx = millrace_bus::begin(&app.db).await?;
        let wake = flows::receive_avatar(&mut tx, id, caller.user.id).await?;
        tx.commit().await?;
        wake.fire(&app.notifier);
    }
    let avatar = own(&app, &caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(avatar.into())))
}

/// How far a picture of oneself is.
#[utoipa::path(
    get, path = "/api/me/avatar/{id}", operation_id = "get_avatar", tag = "accounts",
    params(("id" = AvatarId, Path)),
    responses(
        (status = 200, body = AvatarView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_avatar(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<AvatarId>,
) -> Result<Json<AvatarView>, Problem> {
    own(&app, &caller, id)
        .await
        .map(|avatar| Json(avatar.into()))
}

/// Shows no picture of oneself any more; its files are deleted by a job.
#[utoipa::path(
    delete, path = "/api/me/avatar", operation_id = "remove_avatar", tag = "accounts",
    responses(
        (status = 204, description = "there is none"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn remove_avatar(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::show_avatar(&mut tx, caller.user.id, None).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}

/// A person's picture: a redirect to the store. Pictures are public, as names are.
#[utoipa::path(
    get, path = "/api/avatars/{id}/{edge}", operation_id = "show_avatar", tag = "accounts",
    params(("id" = AvatarId, Path), ("edge" = u32, Path, description = "64 or 256 pixels")),
    responses(
        (status = 307, description = "where the picture is", headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
pub(super) async fn show_avatar(
    State(app): State<App>,
    Segments((id, edge)): Segments<(AvatarId, u32)>,
) -> Result<Response, Problem> {
    if !picture::SIZES.contains(&edge) || !Avatar::is_shown(&app.db, id).await? {
        return Err(Problem::not_found());
    }
    let options = GetOptions {
        ttl: GOOD_FOR,
        shared: true,
    };
    let url = app
        .storage
        .presign_get(&Avatar::key(id, edge), options)
        .await?;
    let head = [
        (header::LOCATION, HeaderValue::from_str(&url)?),
        (header::CACHE_CONTROL, KEPT),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, head).into_response())
}

async fn own(app: &App, caller: &CurrentUser, id: AvatarId) -> Result<Avatar, Problem> {
    Avatar::find(&app.db, id, caller.user.id)
        .await?
        .ok_or_else(Problem::not_found)
}

impl From<Avatar> for AvatarView {
    fn from(avatar: Avatar) -> Self {
        Self {
            avatar_id: avatar.id,
            status: avatar.status,
            error: avatar.error_code,
        }
    }
}
