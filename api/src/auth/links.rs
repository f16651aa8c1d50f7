//! Links that came by mail: another password, a proven address.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    accounts::{self, Link, Purpose, Session, User},
    email::Message,
};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{taken::taken, throttle};
use crate::{
    address::Address,
    app::App,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
        .routes(routes!(confirm_email))
}

/// Who forgot their password.
#[derive(Debug, Deserialize, ToSchema)]
struct ForgotPasswordRequest {
    /// User name or email address.
    #[schema(max_length = 254)]
    identifier: String,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
struct ResetPasswordRequest {
    /// As the link in the mail has it.
    token: String,
    #[schema(min_length = 8, max_length = 200)]
    password: String,
}

/// The token of a link.
#[derive(Debug, Deserialize, ToSchema)]
struct ConfirmEmailRequest {
    /// As the link in the mail has it.
    token: String,
}

/// The address that is proven now.
#[derive(Debug, Serialize, ToSchema)]
struct ConfirmedEmail {
    email: String,
    /// Whether it is another one than the account had.
    changed: bool,
}

/// Asks for a mail with a link to choose another password. The answer is the same whether there is such an account.
#[utoipa::path(
    post, path = "/api/auth/forgot", operation_id = "forgot_password", tag = "accounts", request_body = ForgotPasswordRequest,
    responses(
        (status = 202, description = "if there is such an account, a mail is on its way"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn forgot_password(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<ForgotPasswordRequest>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::default();
    let identifier = check.line("identifier", &body.identifier, 1, 254);
    check.finish()?;
    let settings = &app.settings;
    throttle(
        &app,
        &format!("forgot:address:{address}"),
        settings.address_bucket,
    )
    .await?;
    // By what was typed, not by whom it means: a bucket that two names share would tell that they are one person's.
    let name = format!("forgot:name:{}", identifier.to_lowercase());
    throttle(&app, &name, settings.mail_bucket).await?;
    let login = User::find_login(&app.db, &identifier).await?;
    let user = login.map(|login| login.user).filter(|user| user.is_active);
    // The same work whoever was meant: the rest is a job's, so that the time of the answer tells nothing either.
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::forgot_password(&mut tx, user.map(|user| user.id)).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::ACCEPTED)
}

/// Chooses another password by a link. All devices are signed out; a second factor is still asked for at log-in.
#[utoipa::path(
    post, path = "/api/auth/reset", operation_id = "reset_password", tag = "accounts", request_body = ResetPasswordRequest,
    responses(
        (status = 204, description = "chosen"),
        (status = 410, description = "`link_over`: it is unknown, was used, or is too old", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `weak_password`: the link stays good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn reset_password(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<ResetPasswordRequest>,
) -> Result<StatusCode, Problem> {
    try_link(&app, &address).await?;
    // Only who has a link makes us hash.
    let link = Link::find(&app.db, &body.token)
        .await?
        .filter(|link| link.purpose == Purpose::ResetPassword)
        .ok_or_else(link_over)?;
    let user = User::find(&app.db, link.user)
        .await?
        .ok_or_else(link_over)?;
    let about = vec![user.username.clone(), user.email.clone()];
    let hash = app.passwords.hash(body.password, about).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let link = Link::redeem(&mut tx, &body.token, Purpose::ResetPassword)
        .await?
        .ok_or_else(link_over)?;
    User::reset_password(&mut *tx, link.user, &hash).await?;
    // The link came by that address.
    User::verify_email(&mut *tx, link.user, &link.email).await?;
    Session::end_all(&mut *tx, link.user, None, "password_reset").await?;
    Link::end_all(&mut tx, link.user).await?;
    let message = Message::PasswordChanged { user: user.id };
    let wake = flows::mail_account(&mut tx, &user, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    accounts::forgive(&app.db, &format!("login:user:{}", link.user)).await?;
    app.relay.recheck_sessions();
    tracing::info!(user.id = %link.user, "reset a password by a link");
    Ok(StatusCode::NO_CONTENT)
}

/// Proves an address by a link: that of the account, or the one that it is to have.
#[utoipa::path(
    post, path = "/api/auth/verify", operation_id = "confirm_email", tag = "accounts", request_body = ConfirmEmailRequest,
    responses(
        (status = 200, body = ConfirmedEmail),
        (status = 409, description = "`email_taken`: somebody else's account has it meanwhile", body = ProblemBody, content_type = "application/problem+json"),
        (status = 410, description = "`link_over`: it is unknown, was used, is too old, or the account has another address meanwhile", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn confirm_email(
    State(app): State<App>,
    Address(address): Address,
    Body(body): Body<ConfirmEmailRequest>,
) -> Result<Json<ConfirmedEmail>, Problem> {
    try_link(&app, &address).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    if let Some(link) = Link::redeem(&mut tx, &body.token, Purpose::VerifyEmail).await? {
        if !User::verify_email(&mut *tx, link.user, &link.email).await? {
            return Err(link_over());
        }
        tx.commit().await?;
        return Ok(Json(ConfirmedEmail {
            email: link.email,
            changed: false,
        }));
    }
    let link = Link::redeem(&mut tx, &body.token, Purpose::ChangeEmail)
        .await?
        .ok_or_else(link_over)?;
    let before = User::find(&mut *tx, link.user)
        .await?
        .ok_or_else(link_over)?;
    User::change_email(&mut *tx, link.user, &link.email)
        .await
        .map_err(taken)?;
    Link::end_all(&mut tx, link.user).await?;
    let message = Message::AddressChanged { user: link.user };
    let wake = flows::mail_account(&mut tx, &before, &message).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    tracing::info!(user.id = %link.user, "changed an email address by a link");
    Ok(Json(ConfirmedEmail {
        email: link.email,
        changed: true,
    }))
}

/// Takes one of the links that may be tried from an address: 429 when there were too many.
pub(crate) async fn try_link(app: &App, address: &str) -> Result<(), Problem> {
    let bucket = format!("link:address:{address}");
    throttle(app, &bucket, app.settings.address_bucket).await
}

/// 410: nothing comes of the link.
pub(crate) fn link_over() -> Problem {
    Problem::new(
        StatusCode::GONE,
        "link_over",
        "the link is unknown, was used, or is too old, or what it is about is over",
    )
}
