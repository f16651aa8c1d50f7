//! A copy of what one's account holds.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use std::time::Duration;

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use millrace_domain::{accounts::Export, storage::GetOptions};
use millrace_jobs::flows;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::App,
    auth::{CurrentUser, throttle},
    input::Params,
    problem::{Problem, ProblemBody},
};

/// How long the store's address is good: long enough to begin.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// Asks for a copy of everything that one's account holds. A job makes it, and a mail brings a link to it.
#[utoipa::path(
    post, path = "/api/me/export", operation_id = "export_account", tag = "accounts",
    responses(
        (status = 202, description = "a job makes it"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`export_under_way`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn export_account(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let Some(wake) = flows::begin_export(&mut tx, user).await? else {
        return Err(Problem::conflict(
            "export_under_way",
            "a copy is being made already",
        ));
    };
    throttle(&app, &format!("mail:user:{user}"), app.settings.mail_bucket).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok(StatusCode::ACCEPTED)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportQuery {
    /// As the link in the mail has it.
    token: String,
}

/// The copy that a link in a mail leads to: a redirect to the store.
#[utoipa::path(
    get, path = "/api/export", operation_id = "get_export", tag = "accounts", params(ExportQuery),
    responses(
        (status = 307, description = "where it is", headers(("Location" = String))),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: the link is unknown or too old", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
pub(super) async fn get_export(
    State(app): State<App>,
    Params(query): Params<ExportQuery>,
) -> Result<Response, Problem> {
    let mut conn = app.db.acquire().await?;
    let key = Export::behind(&mut conn, &query.token)
        .await?
        .ok_or_else(Problem::not_found)?;
    let options = GetOptions {
        ttl: GOOD_FOR,
        shared: false,
    };
    let url = app.storage.presign_get(&key, options).await?;
    let head = [
        (header::LOCATION, HeaderValue::from_str(&url)?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, head).into_response())
}
