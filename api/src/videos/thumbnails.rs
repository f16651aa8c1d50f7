//! Pictures that may stand for one's own video.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::{ThumbnailId, UserId, VideoId},
    storage::GetOptions,
    videos::{self, Begun, MOST_BYTES, Thumbnail, ThumbnailStatus, Video},
};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::routes::refusal;
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id, Segments},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// What may be uploaded. What it really is, is found out by its bytes.
const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/webp"];
/// How long an address of a picture is good for.
const SHOWN_FOR: Duration = Duration::from_secs(60 * 60);

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_thumbnails, create_thumbnail))
        .routes(routes!(delete_thumbnail))
        .routes(routes!(complete_thumbnail))
        .routes(routes!(choose_thumbnail))
}

/// A picture that may stand for a video.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Thumbnail)]
struct ThumbnailView {
    id: ThumbnailId,
    /// Whether its owner uploaded it; the others were found in the video.
    custom: bool,
    /// Whether it stands for the video now.
    chosen: bool,
    status: ThumbnailStatus,
    /// Why it is no picture: `not_a_picture`, `picture_too_large` or `processing_failed`.
    #[schema(required)]
    error: Option<String>,
    /// Where it is, for an hour or so.
    #[schema(required)]
    url: Option<String>,
}

/// The pictures of a video.
#[derive(Debug, Serialize, ToSchema)]
struct ThumbnailList {
    items: Vec<ThumbnailView>,
}

/// A picture that is to be uploaded.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateThumbnailRequest {
    #[schema(example = "image/png")]
    content_type: String,
    /// Bytes; at most 8 MiB.
    #[schema(minimum = 1, maximum = 8388608)]
    size: u64,
}

/// Where its bytes belong.
#[derive(Debug, Serialize, ToSchema)]
struct ThumbnailTarget {
    id: ThumbnailId,
    /// For one PUT of exactly these bytes.
    url: String,
    headers: std::collections::BTreeMap<String, String>,
}

async fn list(
    conn: &mut PgConnection,
    app: &App,
    id: VideoId,
    owner: UserId,
) -> Result<Json<ThumbnailList>, Problem> {
    Video::of_owner(&mut *conn, id, owner)
        .await?
        .ok_or_else(Problem::not_found)?;
    let mut items = Vec::new();
    for picture in Thumbnail::of_video(conn, id).await? {
        let options = GetOptions {
            ttl: SHOWN_FOR,
            shared: true,
        };
        let url = match &picture.key {
            Some(key) => Some(app.storage.presign_get(key, options).await?),
            None => None,
        };
        items.push(ThumbnailView {
            id: picture.id,
            custom: picture.generation.is_none(),
            chosen: picture.chosen,
            status: picture.status,
            error: picture.error_code,
            url,
        });
    }
    Ok(Json(ThumbnailList { items }))
}

/// The pictures that may stand for one's own video.
#[utoipa::path(
    get, path = "/api/videos/{id}/thumbnails", operation_id = "list_thumbnails", tag = "videos",
    params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = ThumbnailList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_thumbnails(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<Json<ThumbnailList>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    list(&mut conn, &app, id, caller.user.id).await
}

/// Begins the upload of a picture: says where its bytes belong. Say when they are there.
#[utoipa::path(
    post, path = "/api/videos/{id}/thumbnails", operation_id = "create_thumbnail", tag = "videos",
    params(("id" = VideoId, Path)), request_body = CreateThumbnailRequest,
    responses(
        (status = 201, body = ThumbnailTarget),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `too_many_thumbnails`: delete one first", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_thumbnail(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<CreateThumbnailRequest>,
) -> Result<(StatusCode, Json<ThumbnailTarget>), Problem> {
    let mut check = Check::default();
    let known = TYPES.contains(&body.content_type.as_str());
    check.that(
        "content_type",
        known,
        "must be image/jpeg, image/png or image/webp",
    );
    let fits = (1..=MOST_BYTES).contains(&body.size);
    check.that("size", fits, "must be from 1 byte to 8 MiB");
    check.finish()?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (thumbnail, key) = match Thumbnail::begin(&mut tx, id, caller.user.id).await? {
        Begun::Room(thumbnail, key) => (thumbnail, key),
        Begun::NotFound => return Err(Problem::not_found()),
        Begun::TooMany => {
            let detail = "a video has at most ten pictures of its owner's";
            return Err(Problem::refused("too_many_thumbnails", detail));
        }
    };
    let ttl = app.settings.upload_url_ttl;
    let signed = app
        .storage
        .presign_put(&key, &body.content_type, body.size, ttl)
        .await?;
    tx.commit().await?;
    let target = ThumbnailTarget {
        id: thumbnail,
        url: signed.url,
        headers: signed.headers.into_iter().collect(),
    };
    Ok((StatusCode::CREATED, Json(target)))
}

/// Says that the bytes of a picture are there: a job makes it anew, and it stands for the video. The same when repeated.
#[utoipa::path(
    post, path = "/api/videos/{id}/thumbnails/{thumbnail}/complete", operation_id = "complete_thumbnail", tag = "videos",
    params(("id" = VideoId, Path), ("thumbnail" = ThumbnailId, Path)),
    responses(
        (status = 202, body = ThumbnailList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn complete_thumbnail(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, thumbnail)): Segments<(VideoId, ThumbnailId)>,
) -> Result<(StatusCode, Json<ThumbnailList>), Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::take_thumbnail(&mut tx, id, caller.user.id, thumbnail)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    let mut conn = snapshot(&app.db).await?;
    let all = list(&mut conn, &app, id, caller.user.id).await?;
    Ok((StatusCode::ACCEPTED, all))
}

/// Makes a picture stand for the video.
#[utoipa::path(
    post, path = "/api/videos/{id}/thumbnails/{thumbnail}/choose", operation_id = "choose_thumbnail", tag = "videos",
    params(("id" = VideoId, Path), ("thumbnail" = ThumbnailId, Path)),
    responses(
        (status = 200, body = ThumbnailList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's, and for one that is not ready", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn choose_thumbnail(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, thumbnail)): Segments<(VideoId, ThumbnailId)>,
) -> Result<Json<ThumbnailList>, Problem> {
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !Thumbnail::choose(&mut *tx, id, owner, thumbnail).await? {
        return Err(Problem::not_found());
    }
    let all = list(&mut tx, &app, id, owner).await?;
    let hint = videos::video_changed(&mut tx, id, owner).await?;
    tx.commit().await?;
    app.playback.forget(id).await;
    hint.fire(&app.notifier);
    Ok(all)
}

/// Deletes a picture that was uploaded, unless it stands for the video.
#[utoipa::path(
    delete, path = "/api/videos/{id}/thumbnails/{thumbnail}", operation_id = "delete_thumbnail", tag = "videos",
    params(("id" = VideoId, Path), ("thumbnail" = ThumbnailId, Path)),
    responses(
        (status = 204, description = "gone"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's, and for one that stands for the video or was found in it", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn delete_thumbnail(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, thumbnail)): Segments<(VideoId, ThumbnailId)>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::delete_thumbnail(&mut tx, id, caller.user.id, thumbnail)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}
