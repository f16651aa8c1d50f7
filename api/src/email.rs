//! The links that end mail of a kind.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
};
use millrace_domain::notifications::{self, Kind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    input::Params,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(show_unsubscribe, unsubscribe))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LinkQuery {
    /// What the mail's link carries.
    #[param(max_length = 200)]
    token: String,
}

/// What was ended.
#[derive(Debug, Serialize, ToSchema)]
struct Unsubscribed {
    kind: Kind,
}

/// Leads a person who opened the address of a mail's `List-Unsubscribe` to the page that asks them. Looking ends nothing:
/// mail programs open links by themselves.
#[utoipa::path(
    get, path = "/api/email/unsubscribe", operation_id = "show_end_email", tag = "notifications", params(LinkQuery),
    responses(
        (status = 303, description = "The page that asks"),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn show_unsubscribe(Params(query): Params<LinkQuery>) -> Response {
    let token = url::form_urlencoded::byte_serialize(query.token.as_bytes());
    let there = format!("/unsubscribe?token={}", token.collect::<String>());
    Redirect::to(&there).into_response()
}

/// Ends mail of the kind that the token names, for the person that it names: by the button of a mail program (RFC 8058,
/// whose form is not looked at) or of our page. Nobody logs in for that. May be repeated.
#[utoipa::path(
    post, path = "/api/email/unsubscribe", operation_id = "end_email", tag = "notifications", params(LinkQuery),
    responses(
        (status = 200, body = Unsubscribed),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`link_invalid`: we did not make this link, or its account is gone", body = ProblemBody,
         content_type = "application/problem+json"),
    ),
    security(())
)]
async fn unsubscribe(
    State(app): State<App>,
    Params(query): Params<LinkQuery>,
) -> Result<Json<Unsubscribed>, Problem> {
    let invalid = || Problem::refused("link_invalid", "this link is not one of ours any more");
    let link = app
        .unsubscribe
        .as_ref()
        .and_then(|key| key.read(&query.token))
        .ok_or_else(invalid)?;
    let kind = link.kind;
    if notifications::set_preference(&app.db, link.user, kind, None, Some(false)).await? {
        Ok(Json(Unsubscribed { kind }))
    } else {
        Err(invalid())
    }
}
