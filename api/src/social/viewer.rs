//! What a person is to a video: whether they like it, follow its creator, and where they stopped.

use axum::{Json, extract::State};
use millrace_domain::{follows, ids::VideoId, viewers::ViewerState};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{channels::avatar_url, pages::watchable};
use crate::{
    app::App,
    auth::MaybeUser,
    input::Id,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get_viewer_state))
}

/// What a page shows around a video, as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ViewerState)]
struct ViewerStateView {
    likes: i64,
    liked: bool,
    /// Replies included.
    comments: i64,
    /// Of the video's creator.
    followers: i64,
    /// Whether the caller follows the creator.
    following: bool,
    /// Seconds: where the caller stopped, if that is neither the beginning nor the end.
    #[schema(required)]
    resume_at: Option<f64>,
    /// Whether the caller wants to watch it later.
    watch_later: bool,
    #[schema(required)]
    creator_avatar_url: Option<String>,
}

/// What a page shows around a video: its creator's followers, and what the caller is to both.
#[utoipa::path(
    get, path = "/api/videos/{id}/viewer", operation_id = "get_viewer_state", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = ViewerStateView),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_viewer_state(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
) -> Result<Json<ViewerStateView>, Problem> {
    let mut conn = app.db.acquire().await?;
    let video = watchable(&mut conn, id, caller.id()).await?;
    let state = ViewerState::of(&mut *conn, id, caller.id())
        .await?
        .ok_or_else(Problem::not_found)?;
    drop(conn);
    let followers =
        follows::all_followers(&app.cache, &app.db, video.user_id, state.followers).await?;
    Ok(Json(ViewerStateView {
        likes: state.likes,
        liked: state.liked,
        comments: state.comments,
        followers,
        following: state.following,
        resume_at: state.resume_at,
        watch_later: state.watch_later,
        creator_avatar_url: avatar_url(state.creator_avatar.as_deref()),
    }))
}
