//! The items of playlists: add, take out, move, look at.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{PlaylistId, UserId, VideoId},
    playlists::{self, Playlist},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    pages::{PageQuery, gesture, views_of, watchable},
    playlists::{refusal, visible},
};
use crate::{
    app::App,
    auth::{CurrentUser, MaybeUser},
    input::{Body, Id, Params, Segments},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoView,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_playlist_items))
        .routes(routes!(add_playlist_item, remove_playlist_item))
        .routes(routes!(move_playlist_item))
        .routes(routes!(watch_later, watch_not_later))
}

/// A video in a list.
#[derive(Debug, Serialize, ToSchema)]
struct PlaylistItem {
    video_id: VideoId,
    /// None for one that was made private: only the list's owner gets such items.
    #[schema(required)]
    video: Option<VideoView>,
    added_at: DateTime<Utc>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
struct PlaylistItemPage {
    items: Vec<PlaylistItem>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Where to.
#[derive(Debug, Deserialize, ToSchema)]
struct MoveItemRequest {
    /// The video that comes after it; none for the end.
    before: Option<VideoId>,
}

/// The videos of a list, in order.
#[utoipa::path(
    get, path = "/api/playlists/{id}/items", operation_id = "list_playlist_items", tag = "viewers", params(("id" = PlaylistId, Path), PageQuery),
    responses(
        (status = 200, body = PlaylistItemPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_playlist_items(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<PlaylistId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<PlaylistItemPage>, Problem> {
    let wanted = query.wanted()?;
    let mut conn = snapshot(&app.db).await?;
    let list = visible(&mut conn, id, caller.id()).await?;
    let page = playlists::items(&mut *conn, &list, caller.id(), &wanted).await?;
    let ids: Vec<VideoId> = page.items.iter().map(|item| item.video).collect();
    let views = views_of(&mut conn, &ids, &app.playback).await?;
    let both = page.items.into_iter().zip(views);
    let items = both.map(|(item, view)| PlaylistItem {
        video_id: item.video,
        video: view.filter(|_| item.visible),
        added_at: item.added_at,
    });
    Ok(Json(PlaylistItemPage {
        items: items.collect(),
        next_cursor: page.next_cursor,
    }))
}

/// Puts a video at the end of a list; again changes nothing.
#[utoipa::path(
    put, path = "/api/playlists/{id}/items/{video_id}", operation_id = "add_playlist_item", tag = "viewers",
    params(("id" = PlaylistId, Path), ("video_id" = VideoId, Path)),
    responses(
        (status = 204, description = "it is in the list"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: somebody else's list, or a video that is absent or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`playlist_full`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn add_playlist_item(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, video)): Segments<(PlaylistId, VideoId)>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    lock(&mut tx, id, user).await?;
    watchable(&mut tx, video, Some(user)).await?;
    playlists::add(&mut tx, id, video).await.map_err(refusal)?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a video out of a list; again changes nothing.
#[utoipa::path(
    delete, path = "/api/playlists/{id}/items/{video_id}", operation_id = "remove_playlist_item", tag = "viewers",
    params(("id" = PlaylistId, Path), ("video_id" = VideoId, Path)),
    responses(
        (status = 204, description = "it is not in the list"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's list", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn remove_playlist_item(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, video)): Segments<(PlaylistId, VideoId)>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    lock(&mut tx, id, user).await?;
    playlists::remove(&mut tx, id, video).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Moves a video of a list before another one, or to the end.
#[utoipa::path(
    post, path = "/api/playlists/{id}/items/{video_id}/move", operation_id = "move_playlist_item", tag = "viewers",
    params(("id" = PlaylistId, Path), ("video_id" = VideoId, Path)), request_body = MoveItemRequest,
    responses(
        (status = 204, description = "it is there"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's list", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: one of them is not in the list any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn move_playlist_item(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, video)): Segments<(PlaylistId, VideoId)>,
    Body(body): Body<MoveItemRequest>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    lock(&mut tx, id, user).await?;
    if !playlists::put_before(&mut tx, id, video, body.before).await? {
        return Err(Problem::conflict(
            "conflict",
            "it is not in the list any more",
        ));
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Puts a video on the caller's list of what to watch later; again changes nothing.
#[utoipa::path(
    put, path = "/api/me/watch-later/{id}", operation_id = "watch_later", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 204, description = "it is on the list"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`playlist_full`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn watch_later(
    State(app): State<App>,
    caller: CurrentUser,
    Id(video): Id<VideoId>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    watchable(&mut tx, video, Some(user)).await?;
    let id = Playlist::watch_later(&mut tx, user).await?;
    lock(&mut tx, id, user).await?;
    playlists::add(&mut tx, id, video).await.map_err(refusal)?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a video from the caller's list of what to watch later; again changes nothing.
#[utoipa::path(
    delete, path = "/api/me/watch-later/{id}", operation_id = "watch_not_later", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 204, description = "it is not on the list"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no id", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn watch_not_later(
    State(app): State<App>,
    caller: CurrentUser,
    Id(video): Id<VideoId>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let id = Playlist::watch_later(&mut tx, user).await?;
    lock(&mut tx, id, user).await?;
    playlists::remove(&mut tx, id, video).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Locks a list of the caller's: 404 if it is not theirs.
async fn lock(conn: &mut PgConnection, id: PlaylistId, owner: UserId) -> Result<(), Problem> {
    if playlists::lock(conn, id, owner).await? {
        Ok(())
    } else {
        Err(Problem::not_found())
    }
}
