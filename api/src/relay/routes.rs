//! Tickets and the upgrade.

use std::sync::atomic::Ordering;

use axum::{
    Json,
    extract::{State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use millrace_domain::accounts::{self, Ticket};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::socket;
use crate::{
    app::App,
    auth::CurrentUser,
    problem::{Problem, ProblemBody},
};

/// The largest message of a client, and of a frame of one.
const MESSAGE: usize = 64 * 1024;
/// What may wait inside the connection, besides the outbox.
const WRITE_BUFFER: usize = 1024 * 1024;
const READ_BUFFER: usize = 4 * 1024;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_ticket))
        .routes(routes!(open_socket))
}

/// Opens one socket, once.
#[derive(Debug, Serialize, ToSchema)]
struct TicketResponse {
    /// For the first frame: `{"type": "auth", "ticket": ...}`.
    ticket: String,
    /// Seconds.
    expires_in: u32,
}

/// Makes a ticket for the socket.
#[utoipa::path(
    post, path = "/api/ws/tickets", operation_id = "create_ws_ticket", tag = "realtime",
    responses(
        (status = 201, body = TicketResponse),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_ticket(
    State(app): State<App>,
    caller: CurrentUser,
) -> Result<(StatusCode, Json<TicketResponse>), Problem> {
    let key = format!("ticket:{}", caller.user.id);
    if let Some(wait) = accounts::take(&app.db, &key, app.settings.ticket_bucket).await? {
        return Err(Problem::throttled(wait));
    }
    let access = caller.access;
    let Ticket { ticket, expires_in } =
        Ticket::issue(&app.db, caller.user.id, access.session, access.expires_at).await?;
    Ok((
        StatusCode::CREATED,
        Json(TicketResponse { ticket, expires_in }),
    ))
}

/// Opens the socket. Frames are JSON texts; the first one is `auth` with a ticket.
#[utoipa::path(
    get, path = "/api/ws", operation_id = "open_ws", tag = "realtime",
    responses(
        (status = 101, description = "the socket"),
        (status = 400, description = "not an upgrade", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "another site's page", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn open_socket(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    if !app.settings.origins.admit(&headers) {
        return Err(Problem::forbidden("this page may not open the socket"));
    }
    let upgrade = upgrade
        .map_err(|_| Problem::bad_request("upgrade_required", "this address is a WebSocket"))?;
    let relay = app.relay.clone();
    let tasks = relay.inner.tasks.clone();
    let id = relay.inner.next_socket.fetch_add(1, Ordering::Relaxed);
    Ok(upgrade
        .max_message_size(MESSAGE)
        .max_frame_size(MESSAGE)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| tasks.track_future(socket::serve(relay, socket, id))))
}
