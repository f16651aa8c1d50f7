//! The devices that a person is signed in on.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts::{Device, Session},
    ids::SessionId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Id, Params},
    problem::{Problem, ProblemBody},
};

/// A device that is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct DeviceView {
    id: SessionId,
    /// As it introduced itself when it signed in.
    user_agent: String,
    created_at: DateTime<Utc>,
    /// When it last renewed its access.
    seen_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    current: bool,
}

/// Devices, the last seen first; at most 100.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceList {
    items: Vec<DeviceView>,
}

/// Where one is signed in.
#[utoipa::path(
    get, path = "/api/me/sessions", operation_id = "list_sessions", tag = "accounts",
    responses(
        (status = 200, body = DeviceList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn list_devices(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<Json<DeviceList>, Problem> {
    let devices = Device::list(&app.db, caller.user.id).await?;
    let view = |device: Device| DeviceView {
        current: device.id == caller.access.session,
        id: device.id,
        user_agent: device.user_agent,
        created_at: device.created_at,
        seen_at: device.seen_at,
    };
    Ok(Json(DeviceList {
        items: devices.into_iter().map(view).collect(),
    }))
}

/// Signs one device out: its tokens and sockets end at once.
#[utoipa::path(
    delete, path = "/api/me/sessions/{id}", operation_id = "end_session", tag = "accounts",
    params(("id" = SessionId, Path)),
    responses(
        (status = 204, description = "signed out"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: it had ended, or is somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn end_device(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<SessionId>,
) -> Result<StatusCode, Problem> {
    if !Session::end(&app.db, id, caller.user.id).await? {
        return Err(Problem::not_found());
    }
    app.relay.recheck_sessions();
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct EndDevicesQuery {
    /// Whether the device that asks stays signed in; it does not unless said.
    #[serde(default)]
    keep_current: bool,
}

/// Signs out everywhere, at once.
#[utoipa::path(
    delete, path = "/api/me/sessions", operation_id = "end_sessions", tag = "accounts", params(EndDevicesQuery),
    responses(
        (status = 204, description = "signed out"),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn end_devices(
    State(app): State<App>,
    caller: CurrentUser,
    Params(query): Params<EndDevicesQuery>,
) -> Result<StatusCode, Problem> {
    let except = query.keep_current.then_some(caller.access.session);
    Session::end_all(&app.db, caller.user.id, except, "signed_out").await?;
    app.relay.recheck_sessions();
    Ok(StatusCode::NO_CONTENT)
}
