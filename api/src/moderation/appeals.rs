//! Appeals, as staff see and answer them.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use millrace_domain::{
    ids::AppealId,
    moderation::{self, Appeal},
};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    OfRequest,
    decisions::{found, may_lift},
    refusal,
    view::{DecisionPage, DecisionView},
};
use crate::{
    app::App,
    auth::{Auditor, Operator},
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
    social::wanted,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_appeals))
        .routes(routes!(answer_appeal))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AppealQuery {
    /// Those that were answered, the last first; otherwise those that wait, the longest first.
    answered: Option<bool>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// What staff answer.
#[derive(Debug, Deserialize, ToSchema)]
struct AnswerAppealRequest {
    /// Whether the decision is taken back.
    accept: bool,
    /// What the person is told.
    #[schema(min_length = 1, max_length = 2000)]
    answer: String,
}

/// Appeals, each with its decision.
#[utoipa::path(
    get, path = "/api/admin/appeals", operation_id = "list_appeals", tag = "moderation", params(AppealQuery),
    responses(
        (status = 200, body = DecisionPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_appeals(
    State(app): State<App>,
    _: Auditor,
    Params(query): Params<AppealQuery>,
) -> Result<Json<DecisionPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let mut conn = snapshot(&app.db).await?;
    let open = query.answered != Some(true);
    let page = moderation::appeals(&mut *conn, open, &wanted).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for appeal in &page.items {
        if let Some(decision) = moderation::decision(&mut *conn, appeal.decision_id).await? {
            items.push(DecisionView::of(decision));
        }
    }
    Ok(Json(DecisionPage {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// Answers an appeal: accepted, its decision is taken back; otherwise the decision stands. The person is told.
#[utoipa::path(
    post, path = "/api/admin/appeals/{id}/answer", operation_id = "answer_appeal", tag = "moderation",
    params(("id" = AppealId, Path)), request_body = AnswerAppealRequest,
    responses(
        (status = 200, body = DecisionView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`; suspensions are an administrator's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`decided`: it was answered before", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn answer_appeal(
    State(app): State<App>,
    Operator(caller): Operator,
    request: OfRequest,
    Id(id): Id<AppealId>,
    Body(body): Body<AnswerAppealRequest>,
) -> Result<Json<DecisionView>, Problem> {
    let mut check = Check::default();
    let answer = check.text("answer", &body.answer, 2_000);
    check.that("answer", !answer.is_empty(), "must not be empty");
    check.finish()?;
    let decision = Appeal::decision(&app.db, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    may_lift(&app, &caller, decision).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let actor = request.actor(&caller);
    let wake = flows::answer_appeal(&mut tx, &actor, id, body.accept, &answer)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    found(&app, decision).await.map(Json)
}
