//! What was decided about one's own things, and what one says against it.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::{DecisionId, UserId},
    moderation::{self, Decision},
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::view::{DecisionPage, DecisionView};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    social::PageQuery,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_own_decisions))
        .routes(routes!(get_own_decision))
        .routes(routes!(create_appeal))
}

/// What one says against a decision.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CreateAppealRequest {
    #[schema(min_length = 1, max_length = 2000)]
    body: String,
}

/// What staff decided about one's own things, newest first.
#[utoipa::path(
    get, path = "/api/decisions", operation_id = "list_own_decisions", tag = "moderation", params(PageQuery),
    responses(
        (status = 200, body = DecisionPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_own_decisions(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<PageQuery>,
) -> Result<Json<DecisionPage>, Problem> {
    let wanted = query.wanted()?;
    let page = moderation::decisions_of(&app.db, caller.user.id, &wanted).await?;
    let page = page.map(DecisionView::for_owner);
    Ok(Json(DecisionPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// One of them.
#[utoipa::path(
    get, path = "/api/decisions/{id}", operation_id = "get_own_decision", tag = "moderation", params(("id" = DecisionId, Path)),
    responses(
        (status = 200, body = DecisionView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for one about somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_own_decision(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<DecisionId>,
) -> Result<Json<DecisionView>, Problem> {
    let decision = moderation::decision(&app.db, id).await?;
    decision
        .filter(|decision| concerns(decision, caller.user.id))
        .map(|decision| Json(DecisionView::for_owner(decision)))
        .ok_or_else(Problem::not_found)
}

/// Says something against a decision: once. Staff answer.
#[utoipa::path(
    post, path = "/api/decisions/{id}/appeal", operation_id = "create_appeal", tag = "moderation",
    params(("id" = DecisionId, Path)), request_body = CreateAppealRequest,
    responses(
        (status = 201, description = "staff will look again", body = DecisionView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for one about somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_appealed`; `decided`: it does not stand any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `final`: what was deleted cannot come back", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_appeal(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<DecisionId>,
    Body(body): Body<CreateAppealRequest>,
) -> Result<(StatusCode, Json<DecisionView>), Problem> {
    let text = appeal_text(&body.body)?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let view = appeal(&mut tx, id, caller.user.id, &text).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(view)))
}

/// What is said against a decision, checked.
pub(super) fn appeal_text(body: &str) -> Result<String, Problem> {
    let mut check = Check::default();
    let text = check.text("body", body, 2_000);
    check.that("body", !text.is_empty(), "must not be empty");
    check.finish()?;
    Ok(text)
}

/// Files an appeal of `user` against a decision about something of theirs.
pub(super) async fn appeal(
    conn: &mut PgConnection,
    id: DecisionId,
    user: UserId,
    text: &str,
) -> Result<DecisionView, Problem> {
    let decision = moderation::decision(&mut *conn, id)
        .await?
        .filter(|decision| concerns(decision, user))
        .ok_or_else(Problem::not_found)?;
    if !decision.action.can_be_lifted() {
        return Err(Problem::refused(
            "final",
            "what was deleted cannot come back",
        ));
    }
    if !decision.stands() {
        return Err(Problem::conflict(
            "decided",
            "the decision does not stand any more",
        ));
    }
    if moderation::file_appeal(&mut *conn, id, user, text)
        .await?
        .is_none()
    {
        return Err(Problem::conflict(
            "already_appealed",
            "each decision can be appealed once",
        ));
    }
    moderation::decision(conn, id)
        .await?
        .map(DecisionView::for_owner)
        .ok_or_else(Problem::not_found)
}

/// Whether it is about something of this person's that they were told of.
fn concerns(decision: &Decision, user: UserId) -> bool {
    decision.owner_id == Some(user) && decision.reason.is_some()
}
