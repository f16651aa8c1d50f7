//! One action on all jobs of a filter: counted first, then carried out by a job.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use millrace_jobs::operate::start_bulk;
use millrace_queue::{
    Bulk, BulkAction, JobFilter, State as JobState, is_known_kind, is_known_queue,
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::jobs::{SEARCH_WITHIN, too_broad};
use crate::{
    app::App,
    auth::Operator,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// The route of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(act_on_jobs))
}

/// What to do, and to which jobs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkRequest {
    /// `retry`: jobs that failed, were discarded or quarantined; scheduled and cancelled ones only where `filter.state` says
    /// so. `cancel` and `discard`: jobs that have not ended.
    #[schema(value_type = String, example = "retry")]
    action: BulkAction,
    filter: BulkFilter,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
    /// For others to read; cancelled and discarded jobs carry it.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Which jobs: all conditions hold. At least one of state, kind, queue, tag, owner and group must be there.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BulkFilter {
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    state: Vec<JobState>,
    kind: Option<String>,
    queue: Option<String>,
    tag: Option<String>,
    /// Jobs of this user.
    owner: Option<Uuid>,
    /// Jobs of this group.
    group: Option<Uuid>,
}

/// How many jobs it would touch.
#[derive(Debug, Serialize, ToSchema)]
struct BulkCounted {
    /// At most 10,000.
    count: u64,
    /// Whether there are more.
    capped: bool,
}

/// The job that does it.
#[derive(Debug, Serialize, ToSchema)]
struct BulkStarted {
    job_id: Uuid,
    /// How many jobs there were when it was enqueued; at most 10,000.
    count: u64,
}

/// Retries, cancels or discards all jobs of a filter that are there now, by a job; its result says how many. With
/// `dry_run`, only counts them.
#[utoipa::path(
    post, path = "/api/admin/jobs/bulk", operation_id = "act_on_jobs", tag = "admin", request_body = BulkRequest,
    responses(
        (status = 200, description = "only counted", body = BulkCounted),
        (status = 202, description = "enqueued", body = BulkStarted),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`: also no such kind or queue, or a filter that leaves nothing out", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "`search_too_broad`: the filter matches too few of too many", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn act_on_jobs(
    State(app): State<App>,
    caller: Operator,
    Body(body): Body<BulkRequest>,
) -> Result<Response, Problem> {
    let mut check = Check::default();
    let reason = check.line("reason", body.reason.as_deref().unwrap_or_default(), 0, 500);
    let mut tx = millrace_bus::begin(&app.db).await?;
    sqlx::query(SEARCH_WITHIN).execute(&mut *tx).await?;
    let filter = body.filter.checked(&mut check, &mut tx).await?;
    check.finish()?;
    let username = &caller.0.user.username;
    let bulk = Bulk {
        action: body.action,
        filter,
        by: Some(username.clone()),
        reason: Some(reason).filter(|reason| !reason.is_empty()),
    };
    let counted = bulk.count(&mut tx).await.map_err(too_broad)?;
    if body.dry_run {
        let counted = BulkCounted {
            count: counted.count,
            capped: counted.capped,
        };
        return Ok(Json(counted).into_response());
    }
    let enqueued = start_bulk(&mut tx, &bulk).await?;
    tx.commit().await?;
    tracing::info!(job.id = %enqueued.id, by = %username, count = counted.count, ?bulk, "a bulk action begins");
    enqueued.wake.fire(&app.notifier);
    let started = BulkStarted {
        job_id: enqueued.id.0,
        count: counted.count,
    };
    Ok((StatusCode::ACCEPTED, Json(started)).into_response())
}

impl BulkFilter {
    /// What is wrong with it is noted.
    async fn checked(
        self,
        check: &mut Check,
        conn: &mut PgConnection,
    ) -> Result<JobFilter, Problem> {
        let filter = JobFilter {
            states: self.state,
            kind: self.kind,
            queue: self.queue,
            tag: self.tag,
            owner: self.owner,
            group: self.group,
            ..JobFilter::default()
        };
        check.that(
            "filter",
            !filter.is_empty(),
            "must name a state, kind, queue, tag, owner or group",
        );
        if let Some(tag) = &filter.tag {
            check.line("filter.tag", tag, 1, 200);
        }
        if let Some(kind) = &filter.kind {
            let known = is_known_kind(&mut *conn, kind).await.map_err(too_broad)?;
            check.that("filter.kind", known, "there is no such kind");
        }
        if let Some(queue) = &filter.queue {
            let known = is_known_queue(&mut *conn, queue).await.map_err(too_broad)?;
            check.that("filter.queue", known, "there is no such queue");
        }
        Ok(filter)
    }
}
