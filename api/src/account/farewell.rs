//! Leaving: the account is locked at once and deleted by a job.

use axum::{extract::State, http::StatusCode};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::ToSchema;

use super::confirm_password;
use crate::{
    app::App,
    auth::CurrentUser,
    input::Body,
    problem::{Problem, ProblemBody},
};

/// The password once more.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct DeleteAccountRequest {
    password: String,
}

/// Deletes one's account with everything in it. All devices are signed out at once, nobody can log in any more, a job
/// deletes videos and files, and a last mail says when that is done. It cannot be taken back.
#[utoipa::path(
    post, path = "/api/me/delete", operation_id = "delete_account", tag = "accounts", request_body = DeleteAccountRequest,
    responses(
        (status = 202, description = "locked; a job deletes it"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `wrong_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn delete_account(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<DeleteAccountRequest>,
) -> Result<StatusCode, Problem> {
    confirm_password(&app, &caller, "password", body.password).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::begin_farewell(&mut tx, caller.user.id).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    app.relay.recheck_sessions();
    tracing::info!("began to delete an account");
    Ok(StatusCode::ACCEPTED)
}
