//! The second step of a log-in: the code of an authenticator application, or a recovery code.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
};
use millrace_domain::accounts::{self, Challenge, SecondFactor, SecondFactorError, Session, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    SameOrigin,
    routes::{LoginResponse, signed_in, throttle, user_agent},
};
use crate::{
    app::App,
    input::Body,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(answer_challenge))
}

/// The password was right; this and a code complete the log-in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SecondStep {
    challenge: String,
    /// Seconds.
    expires_in: u64,
}

/// The code that was asked for.
#[derive(Debug, Deserialize, ToSchema)]
struct SecondStepRequest {
    challenge: String,
    /// Six digits of the application, or a recovery code.
    #[schema(max_length = 40)]
    code: String,
}

/// 202 with a challenge.
pub(super) fn asked(challenge: Challenge) -> Response {
    let body = SecondStep {
        challenge: challenge.challenge,
        expires_in: challenge.expires_in.as_secs(),
    };
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

/// Completes a log-in that asked for a code.
#[utoipa::path(
    post, path = "/api/auth/login/second", operation_id = "answer_challenge", tag = "accounts", request_body = SecondStepRequest,
    responses(
        (status = 200, body = LoginResponse, headers(("Set-Cookie" = String, description = "the refresh token"))),
        (status = 401, description = "`wrong_code`, also for one that was used; `challenge_over`: log in anew", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`account_inactive`, or `forbidden`: another site's page", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn answer_challenge(
    State(app): State<App>,
    _: SameOrigin,
    headers: HeaderMap,
    Body(body): Body<SecondStepRequest>,
) -> Result<Response, Problem> {
    let over = || {
        let detail = "the log-in took too long or too many tries; begin again";
        Problem::new(StatusCode::UNAUTHORIZED, "challenge_over", detail)
    };
    let mut conn = app.db.acquire().await?;
    let id = Challenge::attempt(&mut conn, &body.challenge)
        .await?
        .ok_or_else(over)?;
    drop(conn);
    // Beside the tries of one challenge, since whoever has the password gets as many challenges as they like.
    let bucket = format!("second:user:{id}");
    throttle(&app, &bucket, app.settings.account_bucket).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    match SecondFactor::check(&mut tx, &app.sealer, id, &body.code).await {
        Ok(true) => {}
        Ok(false) => return Err(wrong_code(StatusCode::UNAUTHORIZED)),
        // It was switched off on another device meanwhile.
        Err(SecondFactorError::Absent) => return Err(over()),
        Err(error) => return Err(error.into()),
    }
    let user = User::find(&mut *tx, id).await?.ok_or_else(over)?;
    if !user.is_active {
        return Err(super::routes::inactive());
    }
    Challenge::spend(&mut *tx, &body.challenge).await?;
    let ttl = app.settings.refresh_ttl;
    let session = Session::start(&mut tx, id, user_agent(&headers), ttl).await?;
    tx.commit().await?;
    accounts::forgive(&app.db, &bucket).await?;
    signed_in(&app, &session, user)
}

/// The code is not one of now, or was used.
pub(crate) fn wrong_code(status: StatusCode) -> Problem {
    Problem::new(
        status,
        "wrong_code",
        "the code is wrong, too old, or was used",
    )
    .at("code", "is wrong")
}
