//! Queues: what is due and running, pause and resume.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    auth::{Auditor, Operator},
    input::{Body, Check, Segments},
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_queues))
        .routes(routes!(pause_queue))
        .routes(routes!(resume_queue))
}

/// All queues.
#[derive(Debug, Serialize, ToSchema)]
struct QueueList {
    items: Vec<QueueView>,
}

/// A queue at this moment.
#[derive(Debug, Serialize, ToSchema, sqlx::FromRow)]
struct QueueView {
    name: String,
    /// Jobs that are due and do not run; counted up to 10,000.
    backlog: i64,
    /// How long the oldest of them has been due.
    oldest_due_seconds: f64,
    running: i64,
    /// How many live workers can run at the same time.
    slots: i64,
    #[schema(required)]
    paused_at: Option<DateTime<Utc>>,
    #[schema(required)]
    paused_by: Option<String>,
    #[schema(required)]
    note: Option<String>,
    /// How many may run at the same time over all workers, if that is limited.
    #[schema(required)]
    max_running: Option<i32>,
    /// Whether the owners of its jobs take turns.
    fair: bool,
}

/// Why a queue is paused.
#[derive(Debug, Deserialize, ToSchema)]
struct PauseRequest {
    /// For others to read.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// Queues that somebody serves or decided something about.
#[utoipa::path(
    get, path = "/api/admin/queues", operation_id = "list_queues", tag = "admin",
    responses(
        (status = 200, body = QueueList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for auditors and above", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_queues(State(app): State<App>, _caller: Auditor) -> Result<Json<QueueList>, Problem> {
    let items = sqlx::query_as(
        "select a.queue as name, a.backlog, a.oldest_due_seconds, a.running, a.slots, q.paused_at, q.paused_by, q.note,
                q.max_running, coalesce(q.fair, false) as fair
           from queue.autoscale a left join queue.queue q on q.name = a.queue order by 1",
    )
    .fetch_all(&app.db)
    .await?;
    Ok(Json(QueueList { items }))
}

/// Starts nothing more of a queue; running jobs go on. Survives restarts.
#[utoipa::path(
    post, path = "/api/admin/queues/{name}/pause", operation_id = "pause_queue", tag = "admin",
    params(("name" = String, Path)), request_body = PauseRequest,
    responses(
        (status = 204),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no such queue", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn pause_queue(
    State(app): State<App>,
    caller: Operator,
    Segments(name): Segments<String>,
    Body(body): Body<PauseRequest>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::default();
    let note = body.note.as_deref().unwrap_or_default();
    let note = check.line("note", note, 0, 500);
    check.finish()?;
    known(&app, &name).await?;
    let mut conn = app.db.acquire().await?;
    let note = Some(note.as_str()).filter(|note| !note.is_empty());
    millrace_queue::pause_queue(&mut conn, &name, &caller.0.user.username, note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Starts jobs of a queue again.
#[utoipa::path(
    post, path = "/api/admin/queues/{name}/resume", operation_id = "resume_queue", tag = "admin",
    params(("name" = String, Path)),
    responses(
        (status = 204),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: for operators and above", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: no such queue", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn resume_queue(
    State(app): State<App>,
    _caller: Operator,
    Segments(name): Segments<String>,
) -> Result<StatusCode, Problem> {
    known(&app, &name).await?;
    let mut conn = app.db.acquire().await?;
    let switched = millrace_queue::resume_queue(&mut conn, &name).await?;
    switched.wake.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}

/// A name that nobody knows is a slip of the pen.
async fn known(app: &App, name: &str) -> Result<(), Problem> {
    let known = millrace_queue::is_known_queue(&app.db, name).await?;
    known.then_some(()).ok_or_else(Problem::not_found)
}
