//! Who of staff did what.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use millrace_domain::{
    audit::{self, Audited},
    ids::UserId,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    app::App,
    auth::Auditor,
    input::Params,
    problem::{Problem, ProblemBody},
    social::wanted,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_audit))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Only what was done to this.
    target_id: Option<Uuid>,
    /// Only what this person did.
    actor_id: Option<UserId>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// Something that was done.
#[derive(Debug, Serialize, ToSchema)]
struct AuditRow {
    id: Uuid,
    /// None: the system itself.
    #[schema(required)]
    actor_id: Option<UserId>,
    /// The name as it was.
    actor: String,
    action: String,
    target: String,
    #[schema(required)]
    target_id: Option<Uuid>,
    reason: String,
    /// What of it was so.
    #[schema(required)]
    before: Option<Value>,
    /// What of it is so now.
    #[schema(required)]
    after: Option<Value>,
    /// By which the log lines of the request are found.
    #[schema(required)]
    request_id: Option<String>,
    created_at: DateTime<Utc>,
}

/// A page of the log.
#[derive(Debug, Serialize, ToSchema)]
struct AuditPage {
    items: Vec<AuditRow>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl From<Audited> for AuditRow {
    fn from(row: Audited) -> Self {
        Self {
            id: row.id,
            actor_id: row.actor_id,
            actor: row.actor,
            action: row.action,
            target: row.target,
            target_id: row.target_id,
            reason: row.reason,
            before: row.before,
            after: row.after,
            request_id: row.request_id,
            created_at: row.created_at,
        }
    }
}

/// Who of staff did what, newest first. Rows are never changed.
#[utoipa::path(
    get, path = "/api/admin/audit", operation_id = "list_audit", tag = "moderation", params(AuditQuery),
    responses(
        (status = 200, body = AuditPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_audit(
    State(app): State<App>,
    _: Auditor,
    Params(query): Params<AuditQuery>,
) -> Result<Json<AuditPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let filter = audit::Filter {
        target: query.target_id,
        actor: query.actor_id,
    };
    let page = audit::list(&app.db, &filter, &wanted).await?;
    let page = page.map(AuditRow::from);
    Ok(Json(AuditPage {
        items: page.items,
        next_cursor: page.next_cursor,
    }))
}
