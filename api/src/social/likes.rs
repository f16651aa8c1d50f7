//! Likes of videos.

use axum::{Json, extract::State};
use millrace_domain::{
    ids::{UserId, VideoId},
    likes,
    videos::Video,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::pages::{PageQuery, gesture, video_page, watchable};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoPage,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(like_video, unlike_video))
        .routes(routes!(list_liked))
}

/// Whether the caller likes a video now, and how many do.
#[derive(Debug, Serialize, ToSchema)]
struct LikeState {
    liked: bool,
    likes: i64,
}

/// Likes a video; again changes nothing.
#[utoipa::path(
    put, path = "/api/videos/{id}/like", operation_id = "like_video", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = LikeState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn like_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<Json<LikeState>, Problem> {
    set(&app, caller.user.id, id, true).await
}

/// Likes a video no more; again changes nothing.
#[utoipa::path(
    delete, path = "/api/videos/{id}/like", operation_id = "unlike_video", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = LikeState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn unlike_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<Json<LikeState>, Problem> {
    set(&app, caller.user.id, id, false).await
}

async fn set(
    app: &App,
    user: UserId,
    id: VideoId,
    liked: bool,
) -> Result<Json<LikeState>, Problem> {
    gesture(app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    watchable(&mut tx, id, Some(user)).await?;
    if liked {
        likes::like(&mut *tx, id, user).await?;
    } else {
        likes::unlike(&mut *tx, id, user).await?;
    }
    let video = Video::find(&mut *tx, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    Ok(Json(LikeState {
        liked,
        likes: video.likes,
    }))
}

/// The videos that the caller likes, the latest like first.
#[utoipa::path(
    get, path = "/api/me/liked", operation_id = "list_liked", tag = "viewers", params(PageQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_liked(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let page = likes::liked(&mut *conn, caller.user.id, &query.wanted()?).await?;
    video_page(&mut conn, page, &app.playback).await.map(Json)
}
