//! Invitations to register.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::Invite,
    audit::{self, Entry},
    ids::InviteId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::Admin,
    input::{Body, Check, Id, Params},
    moderation::OfRequest,
    problem::{Problem, ProblemBody},
};

/// Invitations on a page.
const PAGE: i64 = 50;
/// Days that one is good unless said.
const DAYS: u32 = 7;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_invites, create_invite))
        .routes(routes!(withdraw_invite))
}

/// An invitation.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateInviteRequest {
    /// For whom, in your words.
    #[schema(max_length = 200)]
    note: Option<String>,
    /// How long it is good; 7 unless said.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u32>,
}

/// The invitation, told once.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedInvite {
    id: InviteId,
    token: String,
    /// The page to register on, with the token.
    url: String,
}

/// An invitation, without its token: that is told once.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invite)]
struct InviteView {
    id: InviteId,
    note: String,
    #[schema(required)]
    created_by: Option<String>,
    expires_at: DateTime<Utc>,
    #[schema(required)]
    used_at: Option<DateTime<Utc>>,
    /// Who came by it; none while nobody did, or when the account is gone.
    #[schema(required)]
    used_by: Option<String>,
    created_at: DateTime<Utc>,
}

/// A page of invitations, the newest first.
#[derive(Debug, Serialize, ToSchema)]
struct InvitePage {
    items: Vec<InviteView>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<InviteId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InviteQuery {
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<InviteId>,
}

/// Makes an invitation.
#[utoipa::path(
    post, path = "/api/admin/invites", operation_id = "create_invite", tag = "accounts", request_body = CreateInviteRequest,
    responses(
        (status = 201, body = CreatedInvite),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_invite(
    State(app): State<App>,
    Admin(caller): Admin,
    request: OfRequest,
    Body(body): Body<CreateInviteRequest>,
) -> Result<(StatusCode, Json<CreatedInvite>), Problem> {
    let mut check = Check::default();
    let note = check.line("note", body.note.as_deref().unwrap_or_default(), 0, 200);
    let days = body.days.unwrap_or(DAYS);
    check.that("days", (1..=90).contains(&days), "must be from 1 to 90");
    check.finish()?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (id, token) = Invite::create(&mut *tx, caller.user.id, &note, days).await?;
    let actor = request.actor(&caller);
    audit::write(&mut *tx, &actor, entry("create_invite", id, &note)).await?;
    tx.commit().await?;
    let base = app.settings.public_url.as_str().trim_end_matches('/');
    // In the fragment, which browsers send to nobody.
    let url = format!("{base}/register#invite={token}");
    Ok((StatusCode::CREATED, Json(CreatedInvite { id, token, url })))
}

/// The invitations.
#[utoipa::path(
    get, path = "/api/admin/invites", operation_id = "list_invites", tag = "accounts", params(InviteQuery),
    responses(
        (status = 200, body = InvitePage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_invites(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<InviteQuery>,
) -> Result<Json<InvitePage>, Problem> {
    let mut invites = Invite::list(&app.db, query.cursor, PAGE + 1).await?;
    let more = i64::try_from(invites.len()).is_ok_and(|found| found > PAGE);
    if more {
        invites.pop();
    }
    let next_cursor = invites.last().filter(|_| more).map(|invite| invite.id);
    let items = invites.into_iter().map(InviteView::from).collect();
    Ok(Json(InvitePage { items, next_cursor }))
}

/// Takes an invitation back that nobody used.
#[utoipa::path(
    delete, path = "/api/admin/invites/{id}", operation_id = "withdraw_invite", tag = "accounts",
    params(("id" = InviteId, Path)),
    responses(
        (status = 204, description = "taken back"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or used", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn withdraw_invite(
    State(app): State<App>,
    Admin(caller): Admin,
    request: OfRequest,
    Id(id): Id<InviteId>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !Invite::withdraw(&mut *tx, id).await? {
        return Err(Problem::not_found());
    }
    let actor = request.actor(&caller);
    audit::write(&mut *tx, &actor, entry("withdraw_invite", id, "")).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn entry<'a>(action: &'a str, id: InviteId, note: &'a str) -> Entry<'a> {
    Entry {
        action,
        target: "invite",
        target_id: Some(id.0),
        reason: note,
        before: None,
        after: None,
    }
}

impl From<Invite> for InviteView {
    fn from(invite: Invite) -> Self {
        Self {
            id: invite.id,
            note: invite.note,
            created_by: invite.created_by,
            expires_at: invite.expires_at,
            used_at: invite.used_at,
            used_by: invite.used_by,
            created_at: invite.created_at,
        }
    }
}
