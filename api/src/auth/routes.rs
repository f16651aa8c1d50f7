//! Log in, refresh, log out.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use axum_extra::extract::CookieJar;
use millrace_domain::accounts::{self, Challenge, Link, Purpose, Rotation, Session, User};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{REFRESH_COOKIE, SameOrigin, cookie::set_cookie, second_step};
use crate::{
    address::Address,
    app::App,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    user::UserView,
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(login))
        .routes(routes!(refresh))
        .routes(routes!(logout))
}

/// A log-in.
#[derive(Debug, Deserialize, ToSchema)]
struct LoginRequest {
    /// User name or email address.
    identifier: String,
    password: String,
}

/// Signed in. The refresh token is in the cookie.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LoginResponse {
    /// For the `Authorization: Bearer` header. Keep it in memory.
    access_token: String,
    /// Seconds.
    expires_in: u64,
    user: UserView,
}

/// Logs in by user name or email address.
#[utoipa::path(
    post, path = "/api/auth/login", operation_id = "login_user", tag = "accounts", request_body = LoginRequest,
    responses(
        (status = 200, body = LoginResponse, headers(("Set-Cookie" = String, description = "the refresh token"))),
        (status = 202, body = second_step::SecondStep, description = "the password is right; a code of the second factor is asked for"),
        (status = 401, description = "`bad_credentials`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`account_inactive`; `account_suspended`, with a token to read why and appeal", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn login(
    State(app): State<App>,
    _: SameOrigin,
    Address(address): Address,
    headers: HeaderMap,
    Body(body): Body<LoginRequest>,
) -> Result<Response, Problem> {
    let mut check = Check::default();
    let identifier = check.line("identifier", &body.identifier, 1, 254);
    check.finish()?;
    let login = User::find_login(&app.db, &identifier).await?;
    // By the account that is meant, however it is named; an unknown name has a bucket too and looks the same.
    let account = match &login {
        Some(login) => format!("login:user:{}", login.user.id),
        None => format!("login:name:{}", identifier.to_lowercase()),
    };
    throttle(
        &app,
        &format!("login:address:{address}"),
        app.settings.address_bucket,
    )
    .await?;
    throttle(&app, &account, app.settings.account_bucket).await?;
    let hash = login.as_ref().map(|login| login.password_hash.clone());
    let matches = app.passwords.verify(body.password, hash).await?;
    let Some(login) = login.filter(|_| matches) else {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad_credentials",
            "the name or the password is wrong",
        ));
    };
    if !login.user.is_active {
        return Err(locked_out(&app, &login.user).await?);
    }
    accounts::forgive(&app.db, &account).await?;
    if login.user.second_factor {
        let challenge = Challenge::issue(&app.db, login.user.id).await?;
        return Ok(second_step::asked(challenge));
    }
    let mut tx = millrace_bus::begin(&app.db).await?;
    let session = Session::start(
        &mut tx,
        login.user.id,
        user_agent(&headers),
        app.settings.refresh_ttl,
    )
    .await?;
    tx.commit().await?;
    signed_in(&app, &session, login.user)
}

/// 403: the account was deactivated, or suspended: then whoever has its password gets a token by which they can read why,
/// and appeal. It is good for that alone; a session of less rights would have to be thought of by every handler.
async fn locked_out(app: &App, user: &User) -> Result<Problem, Problem> {
    if User::suspended_by(&app.db, user.id).await?.is_none() {
        return Ok(inactive());
    }
    let mut conn = app.db.acquire().await?;
    let token = Link::mint(&mut conn, user.id, Purpose::Appeal, &user.email).await?;
    Ok(Problem::suspended(token))
}

/// 403: the account was deactivated.
pub(super) fn inactive() -> Problem {
    let detail = "the account was deactivated";
    Problem::new(StatusCode::FORBIDDEN, "account_inactive", detail)
}

/// Exchanges the refresh cookie for an access token and the next refresh cookie.
#[utoipa::path(
    post, path = "/api/auth/refresh", operation_id = "refresh_session", tag = "accounts",
    responses(
        (status = 200, body = LoginResponse, headers(("Set-Cookie" = String, description = "the next refresh token"))),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: another site's page", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("refresh_cookie" = []))
)]
async fn refresh(
    State(app): State<App>,
    _: SameOrigin,
    cookies: CookieJar,
) -> Result<Response, Problem> {
    let Some(cookie) = cookies.get(REFRESH_COOKIE) else {
        return Err(Problem::unauthenticated("there is no session"));
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let settings = &app.settings;
    let rotation = Session::rotate(
        &mut tx,
        cookie.value(),
        settings.refresh_grace,
        settings.refresh_ttl,
    )
    .await?;
    let user = match &rotation {
        Rotation::Rotated(session) => User::find(&mut *tx, session.user).await?,
        _ => None,
    };
    tx.commit().await?;
    match (rotation, user) {
        (Rotation::Rotated(session), Some(user)) => signed_in(&app, &session, user),
        (rotation, _) => {
            if let Rotation::Reused { session, user } = rotation {
                tracing::warn!(user.id = %user, session.id = %session, "an old refresh token was used: the session is revoked");
                app.relay.recheck_sessions();
            }
            Ok(without_cookie(
                &app,
                Problem::unauthenticated("the session has ended"),
            ))
        }
    }
}

/// Signs this device out. Its access tokens and sockets end too.
#[utoipa::path(
    post, path = "/api/auth/logout", operation_id = "logout_user", tag = "accounts",
    responses(
        (status = 204, description = "signed out, or had been"),
        (status = 403, description = "`forbidden`: another site's page", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("refresh_cookie" = []))
)]
async fn logout(
    State(app): State<App>,
    _: SameOrigin,
    cookies: CookieJar,
) -> Result<Response, Problem> {
    if let Some(cookie) = cookies.get(REFRESH_COOKIE) {
        Session::sign_out(&app.db, cookie.value()).await?;
        app.relay.recheck_sessions();
    }
    Ok(without_cookie(&app, StatusCode::NO_CONTENT))
}

/// The answer to a log-in that is complete.
pub(super) fn signed_in(app: &App, session: &Session, user: User) -> Result<Response, Problem> {
    let body = LoginResponse {
        access_token: app.tokens.issue(user.id, session.id)?,
        expires_in: app.tokens.ttl().as_secs(),
        user: user.into(),
    };
    let cookie = set_cookie(
        &session.refresh_token,
        app.settings.refresh_ttl,
        app.settings.secure,
    );
    let headers = [
        (header::SET_COOKIE, cookie),
        (header::CACHE_CONTROL, NO_STORE),
    ];
    Ok((headers, Json(body)).into_response())
}

const NO_STORE: axum::http::HeaderValue = axum::http::HeaderValue::from_static("no-store");

fn without_cookie(app: &App, answer: impl IntoResponse) -> Response {
    let cookie = set_cookie("", std::time::Duration::ZERO, app.settings.secure);
    let mut response = answer.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    response
}

/// Takes a token of a bucket.
///
/// # Errors
/// 429 when it is empty.
pub(crate) async fn throttle(
    app: &App,
    key: &str,
    bucket: accounts::Bucket,
) -> Result<(), Problem> {
    match accounts::take(&app.db, key, bucket).await? {
        None => Ok(()),
        Some(wait) => Err(Problem::throttled(wait)),
    }
}

/// How a device introduces itself.
pub(super) fn user_agent(headers: &HeaderMap) -> &str {
    headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}
