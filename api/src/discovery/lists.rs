//! What many watch, and what somebody may like.

use axum::{Json, extract::State};
use millrace_domain::{recommend, trending};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::MaybeUser,
    input::Params,
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    social::pages::{PageQuery, video_page},
    videos::VideoPage,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_trending))
        .routes(routes!(list_recommended))
}

/// What many watch these days, most of all first. Views weigh half as much a day later.
#[utoipa::path(
    get, path = "/api/videos/trending", operation_id = "list_trending", tag = "discovery", params(PageQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_trending(
    State(app): State<App>,
    _caller: MaybeUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let wanted = query.wanted()?;
    let mut conn = snapshot(&app.db).await?;
    let page = trending::trending(&mut conn, &wanted).await?;
    video_page(&mut conn, page, &app.playback).await.map(Json)
}

/// What the caller may like, by what they watched; then what is trending, then what is new. Visitors get the latter two.
#[utoipa::path(
    get, path = "/api/videos/recommended", operation_id = "list_recommended", tag = "discovery", params(PageQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_recommended(
    State(app): State<App>,
    caller: MaybeUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let wanted = query.wanted()?;
    let mut conn = snapshot(&app.db).await?;
    let page = recommend::recommended(&mut conn, caller.id(), &wanted).await?;
    video_page(&mut conn, page, &app.playback).await.map(Json)
}
