//! Videos that go with one.

use axum::{Json, extract::State};
use millrace_domain::{ids::VideoId, related};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::pages::{views_of, watchable};
use crate::{
    app::App,
    auth::MaybeUser,
    input::Id,
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoView,
};

/// How many are offered.
const MOST: i64 = 20;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_related))
}

/// Videos that go with one, the best first, at most 20.
#[utoipa::path(
    get, path = "/api/videos/{id}/related", operation_id = "list_related", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = Vec<VideoView>),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_related(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
) -> Result<Json<Vec<VideoView>>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    watchable(&mut conn, id, caller.id()).await?;
    let ids = related::related(&mut conn, id, MOST).await?;
    let views = views_of(&mut conn, &ids, &app.playback).await?;
    Ok(Json(views.into_iter().flatten().collect()))
}
