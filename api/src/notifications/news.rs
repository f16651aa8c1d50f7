//! The list, the bell, and what was seen.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{NotificationId, VideoId},
    notifications::{self, Kind, MOST_UNREAD, Notification},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Id, Params},
    problem::{Problem, ProblemBody},
};

/// On a page unless more or fewer are asked for.
const PAGE: i64 = 20;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_notifications))
        .routes(routes!(count_unread))
        .routes(routes!(read_notification))
        .routes(routes!(read_all))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Only those that were not seen.
    unread: Option<bool>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 20 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// The video that news is about.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationVideo {
    id: VideoId,
    title: String,
}

/// News. What is gone by now, or hidden, has no name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
struct NotificationView {
    id: NotificationId,
    kind: Kind,
    /// The user name of whoever did it.
    #[schema(required)]
    actor: Option<String>,
    #[schema(required)]
    video: Option<NotificationVideo>,
    #[schema(required)]
    comment_id: Option<Uuid>,
    /// Of a report of one's own: whether something was done about it.
    #[schema(required)]
    upheld: Option<bool>,
    read: bool,
    created_at: DateTime<Utc>,
}

/// A page of news, newest first.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationPage {
    items: Vec<NotificationView>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

/// How much a person has not seen.
#[derive(Debug, Serialize, ToSchema)]
struct Unread {
    unread: i64,
    /// There are more than that.
    more: bool,
}

/// What was seen.
#[derive(Debug, Deserialize, ToSchema)]
struct ReadAllRequest {
    /// The newest that the person saw; later ones stay unread. Left out: all.
    up_to: Option<NotificationId>,
}

impl From<Notification> for NotificationView {
    fn from(news: Notification) -> Self {
        Self {
            id: news.id,
            kind: news.kind,
            actor: news.actor,
            video: news
                .video
                .map(|(id, title)| NotificationVideo { id, title }),
            comment_id: news.comment,
            upheld: news.upheld,
            read: news.read,
            created_at: news.created_at,
        }
    }
}

/// What one was told, newest first.
#[utoipa::path(
    get, path = "/api/notifications", operation_id = "list_notifications", tag = "notifications", params(ListQuery),
    responses(
        (status = 200, body = NotificationPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_notifications(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<ListQuery>,
) -> Result<Json<NotificationPage>, Problem> {
    let limit = query.limit.unwrap_or(PAGE);
    let bad = |field, message| {
        Problem::bad_request("validation", "the query is not as it must be").at(field, message)
    };
    if !(1..=100).contains(&limit) {
        return Err(bad("limit", "must be from 1 to 100"));
    }
    let cursor = query.cursor.as_deref().map(str::parse).transpose();
    let cursor = cursor.map_err(|_| bad("cursor", "must be a `next_cursor`"))?;
    let unread = query.unread.unwrap_or(false);
    let user = caller.user.id;
    let mut items = notifications::list(&app.db, user, unread, cursor, limit + 1).await?;
    let more = items.len() as i64 > limit;
    items.truncate(usize::try_from(limit).unwrap_or_default());
    let last = items.last().filter(|_| more);
    Ok(Json(NotificationPage {
        next_cursor: last.map(|news| news.id.to_string()),
        items: items.into_iter().map(Into::into).collect(),
    }))
}

/// How much one has not seen, for the bell. It changes with `notification` and `notifications_read` events of `user:{id}`.
#[utoipa::path(
    get, path = "/api/notifications/unread", operation_id = "count_unread_notifications", tag = "notifications",
    responses(
        (status = 200, body = Unread),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn count_unread(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<Unread>, Problem> {
    let unread = notifications::unread(&app.db, caller.user.id).await?;
    Ok(Json(Unread {
        unread: unread.min(MOST_UNREAD - 1),
        more: unread >= MOST_UNREAD,
    }))
}

/// Notes that one has seen it. May be repeated.
#[utoipa::path(
    post, path = "/api/notifications/{id}/read", operation_id = "read_notification", tag = "notifications",
    params(("id" = NotificationId, Path)),
    responses(
        (status = 204, description = "Seen"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn read_notification(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<NotificationId>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let hint = notifications::mark_read(&mut tx, caller.user.id, id).await?;
    let hint = hint.ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    hint.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}

/// Notes that one has seen everything, or everything up to one of them.
#[utoipa::path(
    post, path = "/api/notifications/read", operation_id = "read_all_notifications", tag = "notifications",
    request_body = ReadAllRequest,
    responses(
        (status = 204, description = "Seen"),
        (status = 400, description = "`malformed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn read_all(
    State(app): State<App>,
    caller: CurrentUser,
    Body(seen): Body<ReadAllRequest>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let hint = notifications::mark_all_read(&mut tx, caller.user.id, seen.up_to).await?;
    tx.commit().await?;
    hint.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}
