//! What a person wants to be told of, and how.

use axum::{Json, extract::State};
use millrace_domain::notifications::{self, Kind, Preference};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Segments},
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_preferences))
        .routes(routes!(change_preference))
}

/// Every kind of news, and how this person hears of it.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationPreferences {
    items: Vec<Preference>,
}

/// What changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
struct ChangePreferenceRequest {
    /// In the web application.
    web: Option<bool>,
    /// By mail.
    email: Option<bool>,
}

/// How one hears of each kind of news; defaults included.
#[utoipa::path(
    get, path = "/api/notifications/preferences", operation_id = "list_notification_preferences", tag = "notifications",
    responses(
        (status = 200, body = NotificationPreferences),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_preferences(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<NotificationPreferences>, Problem> {
    let items = notifications::preferences(&app.db, caller.user.id).await?;
    Ok(Json(NotificationPreferences { items }))
}

/// Changes how one hears of a kind of news.
#[utoipa::path(
    patch, path = "/api/notifications/preferences/{kind}", operation_id = "change_notification_preference",
    tag = "notifications", params(("kind" = Kind, Path)), request_body = ChangePreferenceRequest,
    responses(
        (status = 200, body = Preference),
        (status = 400, description = "`malformed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: there is no such kind, or nobody can end it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`payload_too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported_media_type`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn change_preference(
    State(app): State<App>,
    caller: CurrentUser,
    Segments(kind): Segments<Kind>,
    Body(change): Body<ChangePreferenceRequest>,
) -> Result<Json<Preference>, Problem> {
    let user = caller.user.id;
    if !kind.optional() {
        return Err(Problem::not_found());
    }
    notifications::set_preference(&app.db, user, kind, change.web, change.email).await?;
    Ok(Json(notifications::wants(&app.db, user, kind).await?))
}
