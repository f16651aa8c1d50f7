//! What the caller watched, and where they stopped.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    history::{self, Watched},
    ids::VideoId,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::pages::{gesture, views_of, wanted};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Id, Params},
    playback::Playback,
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoView,
};

/// Videos that the home page offers to go on with.
const UNFINISHED: i64 = 12;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_history, clear_history))
        .routes(routes!(forget_video))
        .routes(routes!(pause_history))
        .routes(routes!(list_unfinished))
}

/// A video that the caller watched.
#[derive(Debug, Serialize, ToSchema)]
struct WatchedVideo {
    video: VideoView,
    /// Seconds.
    position: f64,
    watched_at: DateTime<Utc>,
}

/// A page of what the caller watched.
#[derive(Debug, Serialize, ToSchema)]
struct HistoryPage {
    items: Vec<WatchedVideo>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
    /// Whether nothing is kept at present.
    paused: bool,
}

/// Whether history is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct HistoryPause {
    paused: bool,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct HistoryQuery {
    /// A part of the title.
    #[param(max_length = 200)]
    query: Option<String>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

async fn items(
    conn: &mut PgConnection,
    watched: Vec<Watched>,
    playback: &Playback,
) -> Result<Vec<WatchedVideo>, Problem> {
    let ids: Vec<VideoId> = watched.iter().map(|entry| entry.video).collect();
    let views = views_of(conn, &ids, playback).await?;
    let both = watched.into_iter().zip(views);
    Ok(both
        .filter_map(|(entry, view)| {
            Some(WatchedVideo {
                video: view?,
                position: entry.position,
                watched_at: entry.watched_at,
            })
        })
        .collect())
}

/// What the caller watched and may still watch, the latest first.
#[utoipa::path(
    get, path = "/api/me/history", operation_id = "list_history", tag = "viewers", params(HistoryQuery),
    responses(
        (status = 200, body = HistoryPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_history(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<HistoryQuery>,
) -> Result<Json<HistoryPage>, Problem> {
    let words = query
        .query
        .as_deref()
        .map(str::trim)
        .filter(|words| !words.is_empty());
    if words.is_some_and(|words| words.chars().count() > 200 || words.chars().any(char::is_control))
    {
        return Err(
            Problem::bad_request("validation", "the query is not as it must be").at(
                "query",
                "must have at most 200 characters, none of them control characters",
            ),
        );
    }
    let user = caller.user.id;
    let wanted = wanted(query.cursor.clone(), query.limit)?;
    let mut conn = snapshot(&app.db).await?;
    let page = history::watched(&mut *conn, user, words, &wanted).await?;
    Ok(Json(HistoryPage {
        items: items(&mut conn, page.items, &app.playback).await?,
        next_cursor: page.next_cursor,
        paused: history::is_paused(&mut *conn, user).await?,
    }))
}

/// Forgets all that the caller watched.
#[utoipa::path(
    delete, path = "/api/me/history", operation_id = "clear_history", tag = "viewers",
    responses(
        (status = 204, description = "forgotten"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn clear_history(State(app): State<App>, caller: CurrentUser) -> Result<StatusCode, Problem> {
    history::forget(&app.db, caller.user.id, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets that the caller watched a video; again changes nothing.
#[utoipa::path(
    delete, path = "/api/me/history/{id}", operation_id = "forget_video", tag = "viewers", params(("id" = VideoId, Path)),
    responses(
        (status = 204, description = "forgotten"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no id", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn forget_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<StatusCode, Problem> {
    history::forget(&app.db, caller.user.id, Some(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps no history any more, or again. What was kept stays.
#[utoipa::path(
    put, path = "/api/me/history/pause", operation_id = "pause_history", tag = "viewers", request_body = HistoryPause,
    responses(
        (status = 200, body = HistoryPause),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn pause_history(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<HistoryPause>,
) -> Result<Json<HistoryPause>, Problem> {
    gesture(&app, caller.user.id).await?;
    history::pause(&app.db, caller.user.id, body.paused).await?;
    Ok(Json(body))
}

/// What the caller began to watch and did not end, the latest first, at most 12.
#[utoipa::path(
    get, path = "/api/me/unfinished", operation_id = "list_unfinished", tag = "viewers",
    responses(
        (status = 200, body = Vec<WatchedVideo>),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_unfinished(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<Vec<WatchedVideo>>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let watched = history::unfinished(&mut *conn, caller.user.id, UNFINISHED).await?;
    items(&mut conn, watched, &app.playback).await.map(Json)
}
