//! Playlists, and what to watch later.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{PlaylistId, UserId, VideoId},
    playlists::{self, Changes, Playlist, PlaylistError},
    videos::Visibility,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    channels::find,
    pages::{gesture, views_of, watchable},
};
use crate::{
    app::App,
    auth::{CurrentUser, MaybeUser},
    input::{Body, Check, Id, Params, Segments},
    playback::Playback,
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoView,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_playlists))
        .routes(routes!(list_channel_playlists))
        .routes(routes!(create_playlist))
        .routes(routes!(get_playlist, update_playlist, delete_playlist))
}

/// A playlist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Playlist)]
pub(super) struct PlaylistView {
    id: PlaylistId,
    owner_id: UserId,
    owner: String,
    /// Whether it is its owner's list of what to watch later, which is private and stays.
    watch_later: bool,
    title: String,
    description: String,
    visibility: Visibility,
    /// Videos, hidden ones included.
    items: i64,
    /// The picture of its first video.
    #[schema(required)]
    poster_url: Option<String>,
    /// Whether the video that was asked for is in it.
    has_video: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Playlists of one person, at most 501.
#[derive(Debug, Serialize, ToSchema)]
struct PlaylistList {
    items: Vec<PlaylistView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PlaylistsQuery {
    /// Asks for each list whether this video is in it.
    video: Option<VideoId>,
}

/// A playlist to be made.
#[derive(Debug, Deserialize, ToSchema)]
struct CreatePlaylistRequest {
    #[schema(min_length = 1, max_length = 150)]
    title: String,
    #[serde(default)]
    #[schema(max_length = 5000)]
    description: String,
    /// Private unless said.
    visibility: Option<Visibility>,
    /// Its first video.
    video_id: Option<VideoId>,
}

/// What its owner changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
struct UpdatePlaylistRequest {
    #[schema(min_length = 1, max_length = 150)]
    title: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    visibility: Option<Visibility>,
}

/// How lists look, with the pictures of their first videos.
async fn views(
    conn: &mut PgConnection,
    lists: Vec<Playlist>,
    playback: &Playback,
) -> Result<Vec<PlaylistView>, Problem> {
    let covers: Vec<VideoId> = lists.iter().filter_map(|list| list.cover).collect();
    let posters = views_of(conn, &covers, playback).await?;
    // One video may stand for several lists; the first look-up took it.
    let posters: std::collections::HashMap<VideoId, Option<String>> = covers
        .into_iter()
        .zip(posters)
        .filter_map(|(id, view)| Some((id, view?)))
        .map(|(id, view)| (id, view.poster_url().map(str::to_owned)))
        .collect();
    let view = |list: Playlist| PlaylistView {
        id: list.id,
        owner_id: list.user_id,
        owner: list.username,
        watch_later: list.watch_later,
        title: list.title,
        description: list.description,
        visibility: list.visibility,
        items: list.items,
        poster_url: list
            .cover
            .and_then(|id| posters.get(&id).cloned().flatten()),
        has_video: list.has_video,
        created_at: list.created_at,
        updated_at: list.updated_at,
    };
    Ok(lists.into_iter().map(view).collect())
}

/// The list, if `viewer` may see it: 404 otherwise.
pub(super) async fn visible(
    conn: &mut PgConnection,
    id: PlaylistId,
    viewer: Option<UserId>,
) -> Result<Playlist, Problem> {
    Playlist::find(conn, id)
        .await?
        .filter(|list| list.visibility != Visibility::Private || viewer == Some(list.user_id))
        .ok_or_else(Problem::not_found)
}

async fn one(
    app: &App,
    conn: &mut PgConnection,
    id: PlaylistId,
    viewer: Option<UserId>,
) -> Result<PlaylistView, Problem> {
    let list = visible(&mut *conn, id, viewer).await?;
    let mut views = views(conn, vec![list], &app.playback).await?;
    views.pop().ok_or_else(Problem::not_found)
}

/// What becomes of a list that cannot be changed.
pub(super) fn refusal(error: PlaylistError) -> Problem {
    match error {
        PlaylistError::Full => Problem::refused("playlist_full", "a list has at most 5000 videos"),
        PlaylistError::TooMany => {
            Problem::refused("too_many_playlists", "there are 500 lists already")
        }
        PlaylistError::Database(error) => error.into(),
    }
}

/// The caller's lists: what to watch later, then the others, the latest change first.
#[utoipa::path(
    get, path = "/api/me/playlists", operation_id = "list_playlists", tag = "viewers", params(PlaylistsQuery),
    responses(
        (status = 200, body = PlaylistList),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_playlists(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PlaylistsQuery>,
) -> Result<Json<PlaylistList>, Problem> {
    let user = caller.user.id;
    Playlist::watch_later(&mut *app.db.acquire().await?, user).await?;
    let mut conn = snapshot(&app.db).await?;
    let lists = Playlist::of(&mut *conn, user, query.video, false).await?;
    Ok(Json(PlaylistList {
        items: views(&mut conn, lists, &app.playback).await?,
    }))
}

/// The public lists of a creator.
#[utoipa::path(
    get, path = "/api/channels/{username}/playlists", operation_id = "list_channel_playlists", tag = "channels", params(("username" = String, Path)),
    responses(
        (status = 200, body = PlaylistList),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_channel_playlists(
    State(app): State<App>,
    caller: MaybeUser,
    Segments(username): Segments<String>,
) -> Result<Json<PlaylistList>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let channel = find(&mut conn, &username, caller.id()).await?;
    let lists = Playlist::of(&mut *conn, channel.id, None, true).await?;
    Ok(Json(PlaylistList {
        items: views(&mut conn, lists, &app.playback).await?,
    }))
}

/// Makes a list.
#[utoipa::path(
    post, path = "/api/playlists", operation_id = "create_playlist", tag = "viewers", request_body = CreatePlaylistRequest,
    responses(
        (status = 201, body = PlaylistView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: its first video is absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `too_many_playlists`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_playlist(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CreatePlaylistRequest>,
) -> Result<(StatusCode, Json<PlaylistView>), Problem> {
    let mut check = Check::default();
    let title = check.line("title", &body.title, 1, 150);
    let description = check.text("description", &body.description, 5_000);
    check.finish()?;
    let user = caller.user.id;
    gesture(&app, user).await?;
    let visibility = body.visibility.unwrap_or(Visibility::Private);
    let mut tx = millrace_bus::begin(&app.db).await?;
    let id = Playlist::create(&mut *tx, user, &title, &description, visibility)
        .await
        .map_err(refusal)?;
    if let Some(video) = body.video_id {
        watchable(&mut tx, video, Some(user)).await?;
        playlists::add(&mut tx, id, video).await.map_err(refusal)?;
    }
    let view = one(&app, &mut tx, id, Some(user)).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// One list.
#[utoipa::path(
    get, path = "/api/playlists/{id}", operation_id = "read_playlist", tag = "viewers", params(("id" = PlaylistId, Path)),
    responses(
        (status = 200, body = PlaylistView),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_playlist(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<PlaylistId>,
) -> Result<Json<PlaylistView>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    one(&app, &mut conn, id, caller.id()).await.map(Json)
}

/// Changes a list of one's own, but not that of what to watch later.
#[utoipa::path(
    patch, path = "/api/playlists/{id}", operation_id = "update_playlist", tag = "viewers", params(("id" = PlaylistId, Path)),
    request_body = UpdatePlaylistRequest,
    responses(
        (status = 200, body = PlaylistView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn update_playlist(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<PlaylistId>,
    Body(body): Body<UpdatePlaylistRequest>,
) -> Result<Json<PlaylistView>, Problem> {
    let mut check = Check::default();
    let changes = Changes {
        title: body.title.map(|title| check.line("title", &title, 1, 150)),
        description: body
            .description
            .map(|text| check.text("description", &text, 5_000)),
        visibility: body.visibility,
    };
    check.finish()?;
    let user = caller.user.id;
    gesture(&app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !Playlist::change(&mut *tx, id, user, &changes).await? {
        return Err(Problem::not_found());
    }
    let view = one(&app, &mut tx, id, Some(user)).await?;
    tx.commit().await?;
    Ok(Json(view))
}

/// Deletes a list of one's own, not its videos.
#[utoipa::path(
    delete, path = "/api/playlists/{id}", operation_id = "delete_playlist", tag = "viewers", params(("id" = PlaylistId, Path)),
    responses(
        (status = 204, description = "gone"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's, and for that of what to watch later", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn delete_playlist(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<PlaylistId>,
) -> Result<StatusCode, Problem> {
    if Playlist::delete(&app.db, id, caller.user.id).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found())
    }
}

impl VideoView {
    /// Where its picture is.
    pub(super) fn poster_url(&self) -> Option<&str> {
        self.live.poster_url.as_deref()
    }
}
