//! Setting a second factor up, and doing without it again.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::accounts::{self, Role, SecondFactor, SecondFactorError, Session};
use qrcode::{QrCode, render::svg};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::confirm_password;
use crate::{
    app::App,
    auth::{CurrentUser, throttle, wrong_code},
    input::Body,
    problem::{Problem, ProblemBody},
};

/// Pixels of the edge of a QR code, at least: it is drawn in lines and grows with the page.
const QR_EDGE: u32 = 240;

/// Whether log-in asks for a code.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SecondFactor)]
pub(super) struct SecondFactorView {
    enabled: bool,
    /// Whether this person's rights count only with one.
    required: bool,
    /// Recovery codes that were not used.
    recovery_codes_left: i64,
}

/// What goes into an authenticator application.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Enrolment)]
pub(super) struct EnrolmentView {
    /// To be typed.
    secret: String,
    /// To be opened on the device that holds the application.
    url: String,
    /// To be scanned: the address as a picture, SVG.
    qr_svg: String,
}

/// The password once more.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PasswordRequest {
    password: String,
}

/// A code of the application.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CodeRequest {
    /// Six digits.
    #[schema(max_length = 40)]
    code: String,
}

/// The password and a code.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct RemoveSecondFactorRequest {
    password: String,
    /// Six digits of the application, or a recovery code.
    #[schema(max_length = 40)]
    code: String,
}

/// Ways in without the application. They are told once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Ten, each good for one log-in.
    recovery_codes: Vec<String>,
}

/// Whether one has a second factor.
#[utoipa::path(
    get, path = "/api/me/second-factor", operation_id = "get_second_factor", tag = "accounts",
    responses(
        (status = 200, body = SecondFactorView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn get_second_factor(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<SecondFactorView>, Problem> {
    let factor = SecondFactor::of(&app.db, caller.user.id).await?;
    Ok(Json(SecondFactorView {
        enabled: factor.enabled,
        required: app.settings.staff_second_factor && caller.user.role > Role::User,
        recovery_codes_left: factor.recovery_codes_left,
    }))
}

/// Begins to set one up: it counts from its first code on.
#[utoipa::path(
    post, path = "/api/me/second-factor", operation_id = "enrol_second_factor", tag = "accounts", request_body = PasswordRequest,
    responses(
        (status = 201, body = EnrolmentView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`second_factor_enabled`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `wrong_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn enrol_second_factor(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<PasswordRequest>,
) -> Result<(StatusCode, Json<EnrolmentView>), Problem> {
    confirm_password(&app, &caller, "password", body.password).await?;
    let enrolment = SecondFactor::enrol(&app.db, &app.sealer, &caller.user)
        .await
        .map_err(problem)?;
    let code = QrCode::new(enrolment.url.as_bytes())?;
    let qr_svg = code
        .render::<svg::Color>()
        .min_dimensions(QR_EDGE, QR_EDGE)
        .build();
    let view = EnrolmentView {
        secret: enrolment.secret,
        url: enrolment.url,
        qr_svg,
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The first code: from now on log-in asks for one. All other devices, which signed in without, are signed out.
#[utoipa::path(
    post, path = "/api/me/second-factor/confirm", operation_id = "confirm_second_factor", tag = "accounts", request_body = CodeRequest,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`second_factor_absent`: none is being set up", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `wrong_code`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn confirm_second_factor(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<CodeRequest>,
) -> Result<Json<RecoveryCodes>, Problem> {
    let user = caller.user.id;
    let bucket = format!("second:user:{user}");
    throttle(&app, &bucket, app.settings.account_bucket).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let recovery_codes = SecondFactor::confirm(&mut tx, &app.sealer, user, &body.code)
        .await
        .map_err(problem)?
        .ok_or_else(|| wrong_code(StatusCode::UNPROCESSABLE_ENTITY))?;
    Session::end_all(&mut *tx, user, Some(caller.access.session), "second_factor").await?;
    tx.commit().await?;
    accounts::forgive(&app.db, &bucket).await?;
    app.relay.recheck_sessions();
    tracing::info!("set a second factor up");
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Makes another set of recovery codes; the old ones are worth nothing then.
#[utoipa::path(
    post, path = "/api/me/second-factor/recovery-codes", operation_id = "renew_recovery_codes", tag = "accounts", request_body = PasswordRequest,
    responses(
        (status = 200, body = RecoveryCodes),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`second_factor_absent`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation` or `wrong_password`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn renew_recovery_codes(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<PasswordRequest>,
) -> Result<Json<RecoveryCodes>, Problem> {
    confirm_password(&app, &caller, "password", body.password).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let recovery_codes = SecondFactor::renew_codes(&mut tx, caller.user.id)
        .await
        .map_err(problem)?;
    tx.commit().await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// Does without a second factor again.
#[utoipa::path(
    post, path = "/api/me/second-factor/remove", operation_id = "remove_second_factor", tag = "accounts", request_body = RemoveSecondFactorRequest,
    responses(
        (status = 204, description = "log-in asks for the password alone"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`second_factor_absent`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `wrong_password` or `wrong_code`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn remove_second_factor(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<RemoveSecondFactorRequest>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    confirm_password(&app, &caller, "password", body.password).await?;
    let bucket = format!("second:user:{user}");
    throttle(&app, &bucket, app.settings.account_bucket).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let right = SecondFactor::check(&mut tx, &app.sealer, user, &body.code)
        .await
        .map_err(problem)?;
    if !right {
        return Err(wrong_code(StatusCode::UNPROCESSABLE_ENTITY));
    }
    SecondFactor::remove(&mut *tx, user).await?;
    tx.commit().await?;
    accounts::forgive(&app.db, &bucket).await?;
    tracing::info!("removed a second factor");
    Ok(StatusCode::NO_CONTENT)
}

fn problem(error: SecondFactorError) -> Problem {
    match error {
        SecondFactorError::Enabled => Problem::conflict("second_factor_enabled", error.to_string()),
        SecondFactorError::Absent => Problem::conflict("second_factor_absent", error.to_string()),
        other => other.into(),
    }
}
