//! Following creators.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use millrace_domain::{
    email::Message,
    follows,
    ids::UserId,
    notifications::{Kind, Notice},
};
use millrace_jobs::flows;
use millrace_queue::Wake;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    channels::{avatar_url, find},
    pages::{PageQuery, gesture, video_page},
};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Params, Segments},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    videos::VideoPage,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(follow_channel, unfollow_channel))
        .routes(routes!(list_following))
        .routes(routes!(list_feed))
}

/// Whether the caller follows a creator now, and how many do.
#[derive(Debug, Serialize, ToSchema)]
struct FollowState {
    following: bool,
    followers: i64,
}

/// Somebody whom the caller follows.
#[derive(Debug, Serialize, ToSchema)]
struct FollowedChannel {
    id: UserId,
    username: String,
    #[schema(required)]
    avatar_url: Option<String>,
    since: DateTime<Utc>,
}

/// A page of those whom the caller follows.
#[derive(Debug, Serialize, ToSchema)]
struct FollowedPage {
    items: Vec<FollowedChannel>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// Follows a creator; again changes nothing.
#[utoipa::path(
    put, path = "/api/channels/{username}/follow", operation_id = "follow_channel", tag = "channels", params(("username" = String, Path)),
    responses(
        (status = 200, body = FollowState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`own_channel`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn follow_channel(
    State(app): State<App>,
    caller: CurrentUser,
    Segments(username): Segments<String>,
) -> Result<Json<FollowState>, Problem> {
    set(&app, caller.user.id, &username, true).await
}

/// Follows a creator no more; again changes nothing.
#[utoipa::path(
    delete, path = "/api/channels/{username}/follow", operation_id = "unfollow_channel", tag = "channels", params(("username" = String, Path)),
    responses(
        (status = 200, body = FollowState),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`own_channel`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn unfollow_channel(
    State(app): State<App>,
    caller: CurrentUser,
    Segments(username): Segments<String>,
) -> Result<Json<FollowState>, Problem> {
    set(&app, caller.user.id, &username, false).await
}

async fn set(
    app: &App,
    user: UserId,
    username: &str,
    following: bool,
) -> Result<Json<FollowState>, Problem> {
    gesture(app, user).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let channel = find(&mut tx, username, Some(user)).await?;
    if channel.id == user {
        return Err(Problem::refused("own_channel", "nobody follows themselves"));
    }
    let changed = if following {
        follows::follow(&mut *tx, user, channel.id).await?
    } else {
        follows::unfollow(&mut *tx, user, channel.id).await?
    };
    let wake = if changed && following {
        // Said again after somebody went and came back, it would be no news.
        let key = format!("follower:{user}:{}", channel.id);
        let notice = Notice::by(Kind::Follower, key, user);
        flows::notify(
            &mut tx,
            channel.id,
            &notice,
            &Message::Follower { actor: user },
        )
        .await?
    } else {
        Wake::none()
    };
    tx.commit().await?;
    wake.fire(&app.notifier);
    let followers =
        follows::all_followers(&app.cache, &app.db, channel.id, channel.followers).await?;
    let change = match (changed, following) {
        (false, _) => 0,
        (true, true) => 1,
        (true, false) => -1,
    };
    Ok(Json(FollowState {
        following,
        followers: followers + change,
    }))
}

/// Whom the caller follows, the latest first.
#[utoipa::path(
    get, path = "/api/me/following", operation_id = "list_following", tag = "channels", params(PageQuery),
    responses(
        (status = 200, body = FollowedPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_following(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<FollowedPage>, Problem> {
    let page = follows::followed(&app.db, caller.user.id, &query.wanted()?).await?;
    let page = page.map(|followed| FollowedChannel {
        id: followed.id,
        username: followed.username,
        avatar_url: avatar_url(followed.avatar.as_deref()),
        since: followed.since,
    });
    Ok(Json(FollowedPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// The videos of those whom the caller follows, newest first.
#[utoipa::path(
    get, path = "/api/me/feed", operation_id = "list_feed", tag = "channels", params(PageQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_feed(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let page = follows::feed(&mut *conn, caller.user.id, &query.wanted()?).await?;
    video_page(&mut conn, page, &app.playback).await.map(Json)
}
