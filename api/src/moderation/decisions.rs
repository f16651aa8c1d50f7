//! What staff decide.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::{
    accounts::Role,
    ids::{DecisionId, UserId, VideoId},
    moderation::{self, Action, LiftedFor},
    reports::{Reason, Target},
};
use millrace_jobs::flows::{self, Wish};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    OfRequest, refusal,
    view::{DecisionPage, DecisionView},
};
use crate::{
    app::App,
    auth::{Auditor, CurrentUser, Operator},
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    social::wanted,
};

/// The longest suspension with an end.
const LONGEST: TimeDelta = TimeDelta::days(5 * 366);

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_decisions, create_decision))
        .routes(routes!(lift_decision))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DecisionQuery {
    /// What was decided on: with `target_id`.
    #[param(inline)]
    target: Option<Target>,
    target_id: Option<Uuid>,
    /// Whose things; instead of `target`.
    owner_id: Option<UserId>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// What is to be done, to what, and why.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateDecisionRequest {
    target: Target,
    target_id: Uuid,
    /// `hide` and `takedown`: videos and comments. `suspend`: channels, by administrators.
    action: Action,
    /// Needed unless it is dismissed.
    reason: Option<Reason>,
    /// What the person is told besides.
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
    /// The end of a suspension; left out: until it is lifted.
    until: Option<DateTime<Utc>>,
}

/// Why it does not stand any more.
#[derive(Debug, Deserialize, ToSchema)]
struct LiftDecisionRequest {
    #[serde(default)]
    #[schema(max_length = 1000)]
    note: String,
}

/// What was decided on one thing, or on anything of one person's; newest first.
#[utoipa::path(
    get, path = "/api/admin/decisions", operation_id = "list_decisions", tag = "moderation", params(DecisionQuery),
    responses(
        (status = 200, body = DecisionPage),
        (status = 400, description = "`validation`: it takes a target or an owner", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_decisions(
    State(app): State<App>,
    _: Auditor,
    Params(query): Params<DecisionQuery>,
) -> Result<Json<DecisionPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let page = match (query.target.zip(query.target_id), query.owner_id) {
        (Some((target, id)), None) => {
            moderation::decisions_on(&app.db, target, id, &wanted).await?
        }
        (None, Some(owner)) => moderation::decisions_of(&app.db, owner, &wanted).await?,
        _ => {
            let problem = Problem::bad_request("validation", "the query is not as it must be");
            return Err(problem.at("target", "give target and target_id, or owner_id"));
        }
    };
    let page = page.map(DecisionView::of);
    Ok(Json(DecisionPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}

/// Decides on something, whether it was reported or not, and does it at once. Its open case is settled, and whoever was
/// judged is told, in the application and by mail. Players lose a hidden video within 30 seconds.
#[utoipa::path(
    post, path = "/api/admin/decisions", operation_id = "create_decision", tag = "moderation", request_body = CreateDecisionRequest,
    responses(
        (status = 201, body = DecisionView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`; `protected`: it is one's own, or that of somebody of one's own role or above it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: it is gone", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`decided`: it is hidden or suspended already; `account_inactive`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `not_for_target`: that cannot be done to such a thing", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_decision(
    State(app): State<App>,
    Operator(caller): Operator,
    request: OfRequest,
    Body(body): Body<CreateDecisionRequest>,
) -> Result<(StatusCode, Json<DecisionView>), Problem> {
    let (dismissed, suspends) = (
        body.action == Action::Dismiss,
        body.action == Action::Suspend,
    );
    if suspends {
        judges_people(&caller)?;
    }
    let mut check = Check::default();
    let note = check.text("note", &body.note, 1_000);
    check.that("reason", dismissed || body.reason.is_some(), "is needed");
    let now = Utc::now();
    let until = body.until.filter(|_| suspends);
    check.that(
        "until",
        until.is_none_or(|until| until > now && until < now + LONGEST),
        "must be in the future, at most five years ahead",
    );
    check.finish()?;
    let wish = Wish {
        target: body.target,
        target_id: body.target_id,
        action: body.action,
        reason: body.reason.filter(|_| !dismissed),
        note: &note,
        until,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let actor = request.actor(&caller);
    let (id, wake) = flows::decide(&mut tx, &actor, caller.user.role, &wish)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    settled(&app, body.target, body.target_id).await;
    Ok((StatusCode::CREATED, Json(found(&app, id).await?)))
}

/// Takes a decision back: what it hid is shown again to whom its owner had shown it, who was locked out may come in. An
/// appeal that waits is thereby accepted. Takedowns are final.
#[utoipa::path(
    post, path = "/api/admin/decisions/{id}/lift", operation_id = "lift_decision", tag = "moderation",
    params(("id" = DecisionId, Path)), request_body = LiftDecisionRequest,
    responses(
        (status = 200, body = DecisionView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`decided`: it does not stand", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `final`: it is not of a kind that can be taken back", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn lift_decision(
    State(app): State<App>,
    Operator(caller): Operator,
    request: OfRequest,
    Id(id): Id<DecisionId>,
    Body(body): Body<LiftDecisionRequest>,
) -> Result<Json<DecisionView>, Problem> {
    let mut check = Check::default();
    let note = check.text("note", &body.note, 1_000);
    check.finish()?;
    may_lift(&app, &caller, id).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let actor = request.actor(&caller);
    let wake = flows::lift_decision(&mut tx, &actor, id, LiftedFor::Staff, &note)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    found(&app, id).await.map(Json)
}

/// 403 unless the caller may act on people.
fn judges_people(caller: &CurrentUser) -> Result<(), Problem> {
    if caller.user.role < Role::Admin {
        return Err(Problem::forbidden("suspending people needs another role"));
    }
    Ok(())
}

/// 404 without such a decision; 403 if it is about a person and the caller does not act on people.
pub(super) async fn may_lift(
    app: &App,
    caller: &CurrentUser,
    id: DecisionId,
) -> Result<(), Problem> {
    let decision = moderation::decision(&app.db, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    if decision.action == Action::Suspend {
        judges_people(caller)?;
    }
    Ok(())
}

/// What this process believes of the thing is not so any more.
async fn settled(app: &App, target: Target, id: Uuid) {
    match target {
        Target::Video => app.playback.forget(VideoId(id)).await,
        Target::Channel => app.relay.recheck_sessions(),
        Target::Comment => {}
    }
}

/// The decision as it is now.
pub(super) async fn found(app: &App, id: DecisionId) -> Result<DecisionView, Problem> {
    moderation::decision(&app.db, id)
        .await?
        .map(DecisionView::of)
        .ok_or_else(Problem::not_found)
}
