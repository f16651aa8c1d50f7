//! What people give to comments: likes, and the pin of a video's owner.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    comments::{self, Change, Comment},
    ids::{CommentId, UserId},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{comments::visible, pages::gesture};
use crate::{
    app::App,
    auth::CurrentUser,
    input::Id,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(like_comment, unlike_comment))
        .routes(routes!(pin_comment, unpin_comment))
}

/// Whether the caller likes a comment now, and how many do.
#[derive(Debug, Serialize, ToSchema)]
struct CommentLikeState {
    liked: bool,
    likes: i32,
}

/// Likes a comment; again changes nothing.
#[utoipa::path(
    put, path = "/api/comments/{id}/like", operation_id = "like_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 200, body = CommentLikeState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn like_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
) -> Result<Json<CommentLikeState>, Problem> {
    set_liked(&app, caller.user.id, id, true).await
}

/// Likes a comment no more; again changes nothing.
#[utoipa::path(
    delete, path = "/api/comments/{id}/like", operation_id = "unlike_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 200, body = CommentLikeState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn unlike_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
) -> Result<Json<CommentLikeState>, Problem> {
    set_liked(&app, caller.user.id, id, false).await
}

async fn set_liked(
    app: &App,
    user: UserId,
    id: CommentId,
    liked: bool,
) -> Result<Json<CommentLikeState>, Problem> {
    gesture(app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    visible(&mut tx, id, Some(user)).await?;
    Comment::like(&mut tx, id, user, liked).await?;
    let comment = Comment::find(&mut *tx, id, Some(user))
        .await?
        .ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    Ok(Json(CommentLikeState {
        liked,
        likes: comment.likes,
    }))
}

/// Pins a thread above the others of one's own video; the one before is pinned no more.
#[utoipa::path(
    put, path = "/api/comments/{id}/pin", operation_id = "pin_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 204, description = "it is pinned"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the video is not the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`pin_reply`: only a comment that is no reply can be pinned", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn pin_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
) -> Result<StatusCode, Problem> {
    set_pinned(&app, caller.user.id, id, true).await
}

/// Takes a pin away.
#[utoipa::path(
    delete, path = "/api/comments/{id}/pin", operation_id = "unpin_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 204, description = "it is not pinned"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: the video is not the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`pin_reply`: only a comment that is no reply can be pinned", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn unpin_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
) -> Result<StatusCode, Problem> {
    set_pinned(&app, caller.user.id, id, false).await
}

async fn set_pinned(
    app: &App,
    user: UserId,
    id: CommentId,
    pinned: bool,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (comment, video) = visible(&mut tx, id, Some(user)).await?;
    if video.user_id != user {
        return Err(Problem::forbidden("the video is not yours"));
    }
    if comment.parent_id.is_some() {
        return Err(Problem::refused("pin_reply", "a reply cannot be pinned"));
    }
    if comment.pinned != pinned {
        Comment::pin(&mut tx, id, video.id, pinned).await?;
    }
    let hint = comments::changed(&mut tx, video.id, id, None, Change::Pinned).await?;
    tx.commit().await?;
    hint.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}
