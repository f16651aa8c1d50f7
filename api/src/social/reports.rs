//! Reports of what breaks rules.

use axum::{extract::State, http::StatusCode};
use millrace_domain::{
    accounts,
    ids::{CommentId, UserId, VideoId},
    reports::{self, NewReport, Reason, Target},
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{comments::visible, pages::watchable};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_report))
}

/// What somebody reports, and why.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateReportRequest {
    target: Target,
    target_id: Uuid,
    reason: Reason,
    /// What they say about it.
    #[serde(default)]
    #[schema(max_length = 1000)]
    body: String,
}

/// Reports a video, a comment or a channel. The same person's next report of it waits until staff have decided.
#[utoipa::path(
    post, path = "/api/reports", operation_id = "create_report", tag = "viewers", request_body = CreateReportRequest,
    responses(
        (status = 201, description = "staff will look at it"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or hidden", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`already_reported`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `own_content`: nobody reports what is theirs", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_report(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CreateReportRequest>,
) -> Result<StatusCode, Problem> {
    let reporter = caller.user.id;
    let mut check = Check::default();
    let text = check.text("body", &body.body, 1_000);
    check.finish()?;
    let key = format!("report:{reporter}");
    if let Some(wait) = accounts::take(&app.db, &key, app.settings.report_bucket).await? {
        return Err(Problem::throttled(wait));
    }
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (owner, excerpt) = target(&mut tx, &body, reporter).await?;
    if owner == reporter {
        return Err(Problem::refused("own_content", "this is yours"));
    }
    let new = NewReport {
        target: body.target,
        target_id: body.target_id,
        owner,
        reporter,
        reason: body.reason,
        body: text,
        excerpt,
    };
    let filed = reports::file(&mut *tx, &new).await?;
    tx.commit().await?;
    if !filed {
        return Err(Problem::conflict(
            "already_reported",
            "staff will look at it",
        ));
    }
    Ok(StatusCode::CREATED)
}

/// Whose it is, and what it says: 404 if the reporter cannot see it.
async fn target(
    conn: &mut PgConnection,
    body: &CreateReportRequest,
    reporter: UserId,
) -> Result<(UserId, String), Problem> {
    match body.target {
        Target::Video => {
            let video = watchable(conn, VideoId(body.target_id), Some(reporter)).await?;
            Ok((video.user_id, video.title))
        }
        Target::Comment => {
            let (comment, _) = visible(conn, CommentId(body.target_id), Some(reporter)).await?;
            Ok((comment.user_id, comment.body))
        }
        Target::Channel => {
            let user = accounts::User::find(conn, UserId(body.target_id)).await?;
            let user = user
                .filter(|user| user.is_active)
                .ok_or_else(Problem::not_found)?;
            Ok((user.id, user.username))
        }
    }
}
