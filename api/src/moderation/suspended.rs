//! For those who are locked out: by the link in the mail, or the token of a log-in whose password was right, they read why,
//! and appeal. The token is good for nothing else.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    accounts::{Link, Purpose, User},
    ids::DecisionId,
    moderation,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    mine::{appeal, appeal_text},
    view::DecisionView,
};
use crate::{
    address::Address,
    app::App,
    auth::{link_over, try_link},
    input::Body,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_suspension))
        .routes(routes!(appeal_suspension))
}

/// The token of the link.
#[derive(Debug, Deserialize, ToSchema)]
struct SuspensionRequest {
    #[schema(max_length = 200)]
    token: String,
}

/// What a person who is locked out says against it.
#[derive(Debug, Deserialize, ToSchema)]
struct AppealSuspensionRequest {
    #[schema(max_length = 200)]
    token: String,
    #[schema(min_length = 1, max_length = 2000)]
    body: String,
}

/// Why one is locked out. The link stays good.
#[utoipa::path(
    post, path = "/api/suspension", operation_id = "get_suspension", tag = "moderation", request_body = SuspensionRequest,
    responses(
        (status = 200, body = DecisionView),
        (status = 410, description = "`link_over`: it is unknown or too old, or the suspension is over", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_suspension(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<SuspensionRequest>,
) -> Result<Json<DecisionView>, Problem> {
    let (id, _) = admitted(&app, &address, &body.token).await?;
    moderation::decision(&app.db, id)
        .await?
        .map(|decision| Json(DecisionView::for_owner(decision)))
        .ok_or_else(link_over)
}

/// Appeals against being locked out: once. The answer comes by mail.
#[utoipa::path(
    post, path = "/api/suspension/appeal", operation_id = "appeal_suspension", tag = "moderation", request_body = AppealSuspensionRequest,
    responses(
        (status = 201, description = "staff will look again", body = DecisionView),
        (status = 409, description = "`already_appealed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`link_over`: it is unknown or too old, or the suspension is over", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn appeal_suspension(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<AppealSuspensionRequest>,
) -> Result<(StatusCode, Json<DecisionView>), Problem> {
    let text = appeal_text(&body.body)?;
    let (id, link) = admitted(&app, &address, &body.token).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let view = appeal(&mut tx, id, link.user, &text).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// The suspension that a token is about, and whose.
async fn admitted(app: &App, address: &str, token: &str) -> Result<(DecisionId, Link), Problem> {
    try_link(app, address).await?;
    let link = Link::find(&app.db, token)
        .await?
        .filter(|link| link.purpose == Purpose::Appeal)
        .ok_or_else(link_over)?;
    let decision = User::suspended_by(&app.db, link.user)
        .await?
        .ok_or_else(link_over)?;
    Ok((decision, link))
}
