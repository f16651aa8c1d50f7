//! What a person stores, and may store.

use axum::{Json, extract::State};
use millrace_domain::uploads::Usage;

use crate::{
    app::App,
    auth::CurrentUser,
    problem::{Problem, ProblemBody},
};

/// What the caller stores, and may store.
#[utoipa::path(
    get, path = "/api/me/storage", operation_id = "get_storage", tag = "uploads",
    responses(
        (status = 200, body = Usage),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_storage(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<Usage>, Problem> {
    let usage = Usage::of(&app.db, caller.user.id, app.settings.quota).await?;
    Ok(Json(usage))
}
