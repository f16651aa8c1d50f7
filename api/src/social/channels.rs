//! Creators as others see them.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::Avatar,
    channels::{self, Channel, ChannelSort},
    follows,
    ids::UserId,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::pages::{video_page, wanted};
use crate::{
    app::App,
    auth::MaybeUser,
    input::{Params, Segments},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoPage,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_channel))
        .routes(routes!(list_channel_videos))
}

/// A creator as others see them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub(super) struct ChannelView {
    id: UserId,
    username: String,
    #[schema(required)]
    avatar_url: Option<String>,
    bio: String,
    followers: i64,
    /// Videos that everybody may find.
    videos: i64,
    /// Whether the caller follows them.
    following: bool,
    created_at: DateTime<Utc>,
}

impl From<Channel> for ChannelView {
    fn from(channel: Channel) -> Self {
        Self {
            id: channel.id,
            username: channel.username,
            avatar_url: avatar_url(channel.avatar.as_deref()),
            bio: channel.bio,
            followers: channel.followers,
            videos: channel.videos,
            following: channel.following,
            created_at: channel.created_at,
        }
    }
}

/// Where an avatar is shown, by what the person's row says.
pub(crate) fn avatar_url(folder: Option<&str>) -> Option<String> {
    folder.and_then(Avatar::address)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChannelVideosQuery {
    #[param(inline)]
    sort: Option<ChannelSort>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// The channel of that name: 404 if there is none, or if its owner was shut out.
pub(super) async fn find(
    conn: &mut PgConnection,
    username: &str,
    viewer: Option<UserId>,
) -> Result<Channel, Problem> {
    if username.chars().count() > 50 || username.chars().any(char::is_control) {
        return Err(Problem::not_found());
    }
    Channel::find(conn, username, viewer)
        .await?
        .ok_or_else(Problem::not_found)
}

/// A creator as others see them.
#[utoipa::path(
    get, path = "/api/channels/{username}", operation_id = "get_channel", tag = "channels", params(("username" = String, Path)),
    responses(
        (status = 200, body = ChannelView),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_channel(
    State(app): State<App>,
    caller: MaybeUser,
    Segments(username): Segments<String>,
) -> Result<Json<ChannelView>, Problem> {
    let mut conn = app.db.acquire().await?;
    let mut channel = find(&mut conn, &username, caller.id()).await?;
    drop(conn);
    channel.followers =
        follows::all_followers(&app.cache, &app.db, channel.id, channel.followers).await?;
    Ok(Json(channel.into()))
}

/// The videos of a creator that everybody may find.
#[utoipa::path(
    get, path = "/api/channels/{username}/videos", operation_id = "list_channel_videos", tag = "channels",
    params(("username" = String, Path), ChannelVideosQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_channel_videos(
    State(app): State<App>,
    caller: MaybeUser,
    Segments(username): Segments<String>,
    Params(query): Params<ChannelVideosQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let mut conn = snapshot(&app.db).await?;
    let channel = find(&mut conn, &username, caller.id()).await?;
    let sort = query.sort.unwrap_or_default();
    let page = channels::videos(&mut *conn, channel.id, sort, &wanted).await?;
    video_page(&mut conn, page, &app.playback).await.map(Json)
}
