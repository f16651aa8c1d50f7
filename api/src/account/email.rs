//! A person's address: proving it, and having another one.

use axum::{extract::State, http::StatusCode};
use millrace_domain::{
    accounts::{Link, User},
    email::Message,
};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::ToSchema;

use super::confirm_password;
use crate::{
    app::App,
    auth::{CurrentUser, email_taken, is_email, throttle},
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// Another address.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct ChangeEmailRequest {
    #[schema(max_length = 254)]
    email: String,
    password: String,
}

/// Asks for another mail with a link that proves one's address.
#[utoipa::path(
    post, path = "/api/me/email/verification", operation_id = "request_verification", tag = "accounts",
    responses(
        (status = 202, description = "a mail is on its way"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`email_verified`: it is proven", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn request_verification(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<StatusCode, Problem> {
    let user = &caller.user;
    if user.email_verified {
        let detail = "the address is proven already";
        return Err(Problem::conflict("email_verified", detail));
    }
    throttle(
        &app,
        &format!("mail:user:{}", user.id),
        app.settings.mail_bucket,
    )
    .await?;
    let message = Message::VerifyAddress { user: user.id };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::mail_account(&mut tx, user, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::ACCEPTED)
}

/// Asks for another address. It counts once the link in a mail to it is used; the old one is told then.
#[utoipa::path(
    post, path = "/api/me/email", operation_id = "change_email", tag = "accounts", request_body = ChangeEmailRequest,
    responses(
        (status = 202, description = "a mail to the new address is on its way"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`email_taken`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `wrong_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn change_email(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<ChangeEmailRequest>,
) -> Result<StatusCode, Problem> {
    let user = &caller.user;
    let mut check = Check::default();
    let email = check.line("email", &body.email, 3, 254);
    check.that("email", is_email(&email), "must be an email address");
    check.finish()?;
    // Before the password, so that a mail of a password that is not theirs any more comes to nothing.
    let ended = Link::ended(&app.db, user.id).await?;
    confirm_password(&app, &caller, "password", body.password).await?;
    throttle(
        &app,
        &format!("mail:user:{}", user.id),
        app.settings.mail_bucket,
    )
    .await?;
    if User::has_email(&app.db, &email).await? {
        return Err(email_taken());
    }
    let message = Message::ChangeAddress {
        user: user.id,
        ended,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::mail_account_at(&mut tx, user, &email, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::ACCEPTED)
}
