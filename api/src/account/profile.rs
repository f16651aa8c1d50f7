//! What a person says of themselves.

use axum::{Json, extract::State};
use millrace_domain::accounts::{Profile, User};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check},
    problem::{Problem, ProblemBody},
    user::UserView,
};

/// What is to be changed; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct UpdateMeRequest {
    #[schema(max_length = 2000)]
    bio: Option<String>,
    /// `zh-TW` or `en`.
    language: Option<String>,
    /// An IANA name such as `Asia/Taipei`; empty for that of the browser.
    #[schema(max_length = 64)]
    time_zone: Option<String>,
}

/// Who is asking.
#[utoipa::path(
    get, path = "/api/me", operation_id = "get_me", tag = "accounts",
    responses(
        (status = 200, body = UserView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn me(caller: CurrentUser) -> Json<UserView> {
    Json(caller.user.into())
}

/// Changes one's profile.
#[utoipa::path(
    patch, path = "/api/me", operation_id = "update_me", tag = "accounts", request_body = UpdateMeRequest,
    responses(
        (status = 200, body = UserView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn update_me(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<UpdateMeRequest>,
) -> Result<Json<UserView>, Problem> {
    let mut check = Check::default();
    let bio = body.bio.map(|bio| check.text("bio", &bio, 2_000));
    if let Some(language) = &body.language {
        let known = matches!(language.as_str(), "zh-TW" | "en");
        check.that("language", known, "must be zh-TW or en");
    }
    if let Some(zone) = &body.time_zone {
        let known = zone.is_empty() || zone.parse::<chrono_tz::Tz>().is_ok();
        check.that("time_zone", known, "must be the name of a time zone");
    }
    check.finish()?;
    let profile = Profile {
        bio,
        language: body.language,
        time_zone: body.time_zone,
    };
    User::update_profile(&app.db, caller.user.id, &profile).await?;
    let user = User::find(&app.db, caller.user.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Json(user.into()))
}
