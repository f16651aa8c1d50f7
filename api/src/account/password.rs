//! Another password.

use axum::{extract::State, http::StatusCode};
use millrace_domain::{
    accounts::{Link, Session, User},
    email::Message,
};
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

/// The old password and the new one.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ChangePasswordRequest {
    current_password: String,
    #[schema(min_length = 8, max_length = 200)]
    new_password: String,
}

/// Changes the password. All other devices are signed out.
#[utoipa::path(
    post, path = "/api/me/password", operation_id = "change_password", tag = "accounts", request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "changed"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it was changed at the same moment", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `wrong_password` or `weak_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn change_password(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    let user = &caller.user;
    let old = confirm_password(&app, &caller, "current_password", body.current_password).await?;
    let about = vec![user.username.clone(), user.email.clone()];
    let new = app
        .passwords
        .hash_field("new_password", body.new_password, about)
        .await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !User::change_password(&mut *tx, user.id, &old, &new).await? {
        let detail = "the password was changed at the same moment";
        return Err(Problem::conflict("conflict", detail));
    }
    Session::end_all(
        &mut *tx,
        user.id,
        Some(caller.access.session),
        "password_changed",
    )
    .await?;
    Link::end_all(&mut tx, user.id).await?;
    let message = Message::PasswordChanged { user: user.id };
    let wake = flows::mail_account(&mut tx, user, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    app.relay.recheck_sessions();
    tracing::info!("changed a password");
    Ok(StatusCode::NO_CONTENT)
}
