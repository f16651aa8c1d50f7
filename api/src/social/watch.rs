//! What players report while they play: a view counts once somebody really watched.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts, history,
    ids::{UserId, VideoId},
    videos::Video,
    views,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{pages::watchable, ticket::Ticket};
use crate::{
    address::Address,
    app::App,
    auth::MaybeUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    videos::may_watch,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(begin_watching))
        .routes(routes!(report_watching))
}

/// Who begins to watch.
#[derive(Debug, Deserialize, ToSchema)]
struct BeginWatchingRequest {
    /// What an earlier answer called this browser, if nobody is logged in.
    #[schema(max_length = 200)]
    viewer: Option<String>,
}

/// What a player needs to report what it plays.
#[derive(Debug, Serialize, ToSchema)]
struct WatchTicket {
    ticket: String,
    /// What to call this browser the next time; none for somebody who is logged in.
    #[schema(required)]
    viewer: Option<String>,
    /// Seconds of watching after which it is a view.
    counts_after: f64,
}

/// What a player reports: every ten seconds, and when it is left.
#[derive(Debug, Deserialize, ToSchema)]
struct WatchReport {
    #[schema(max_length = 300)]
    ticket: String,
    /// Seconds that were really played since the ticket, by the clock on the wall.
    #[schema(minimum = 0)]
    watched: f64,
    /// Seconds: where the player is.
    #[schema(minimum = 0)]
    position: f64,
    /// When, by the clock of the player: of reports that overtake each other, the newest wins.
    at: DateTime<Utc>,
}

/// Begins to watch.
#[utoipa::path(
    post, path = "/api/videos/{id}/watch", operation_id = "begin_watching", tag = "viewers", params(("id" = VideoId, Path)),
    request_body = BeginWatchingRequest,
    responses(
        (status = 201, body = WatchTicket),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn begin_watching(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
    Body(body): Body<BeginWatchingRequest>,
) -> Result<(StatusCode, Json<WatchTicket>), Problem> {
    let mut conn = app.db.acquire().await?;
    let video = watchable(&mut conn, id, caller.id()).await?;
    let (viewer, name) = match caller.id() {
        Some(UserId(id)) => (id, None),
        None => {
            // One that we did not sign is somebody new.
            let id = body
                .viewer
                .and_then(|text| app.watch_key.viewer(&text))
                .unwrap_or_else(Uuid::now_v7);
            (id, Some(app.watch_key.sign_viewer(id)))
        }
    };
    let ticket = app.watch_key.mint(Ticket {
        video: id,
        viewer,
        since: now(),
    });
    Ok((
        StatusCode::CREATED,
        Json(WatchTicket {
            ticket,
            viewer: name,
            counts_after: views::counts_after(video.duration).as_secs_f64(),
        }),
    ))
}

/// Reports what was watched, and where the player is, which the caller's history keeps. It is a view when it was long enough and the ticket is as old; twice a day is once.
#[utoipa::path(
    post, path = "/api/videos/{id}/watch/report", operation_id = "report_watching", tag = "viewers", params(("id" = VideoId, Path)),
    request_body = WatchReport,
    responses(
        (status = 204, description = "noted, or the video is gone or private by now"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`, `ticket_invalid`: begin to watch again", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn report_watching(
    State(app): State<App>,
    caller: MaybeUser,
    address: Address,
    Id(id): Id<VideoId>,
    Body(body): Body<WatchReport>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::default();
    check.that("watched", body.watched >= 0.0, "must not be negative");
    check.that("position", body.position >= 0.0, "must not be negative");
    check.finish()?;
    let ticket = app
        .watch_key
        .read(&body.ticket, now())
        .filter(|ticket| ticket.video == id)
        .ok_or_else(|| Problem::refused("ticket_invalid", "begin to watch again"))?;
    // Players say their last words after a video was deleted, too.
    let video = Video::find(&app.db, id).await?;
    let Some(video) = video.filter(|video| may_watch(video, caller.id())) else {
        return Ok(StatusCode::NO_CONTENT);
    };
    count(&app, &video, ticket, body.watched, &address).await?;
    if let Some(user) = caller.id() {
        let position = body.position.min(video.duration.unwrap_or(f64::MAX));
        history::keep(&app.db, user, id, position, body.at).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Counts a view, if it is one.
async fn count(
    app: &App,
    video: &Video,
    ticket: Ticket,
    watched: f64,
    address: &Address,
) -> Result<(), Problem> {
    let need = views::counts_after(video.duration);
    let age = now().saturating_sub(ticket.since);
    if watched < need.as_secs_f64() || u128::from(age) < need.as_millis() {
        return Ok(());
    }
    if views::noted(&app.db, video.id, ticket.viewer).await? {
        return Ok(());
    }
    // Ids of browsers are free of charge: from one address, a video gains so many views and no more.
    let key = format!("view:{}:{}", video.id, address.0);
    let throttled = accounts::take(&app.db, &key, app.settings.view_bucket).await?;
    if throttled.is_none() {
        views::note(&app.db, video.id, ticket.viewer).await?;
    }
    Ok(())
}

fn now() -> u64 {
    u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0)
}
