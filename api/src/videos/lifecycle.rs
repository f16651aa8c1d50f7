//! When a video of one's own comes and goes: at a time, into the trash and out of it; and its original.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::{ids::VideoId, videos::Video};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    VideoView,
    routes::{hidden, own_view, refusal},
};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
};

/// How long the address of an original is good for: long enough to begin, since a download that has begun goes on.
const DOWNLOAD_TTL: Duration = Duration::from_secs(5 * 60);
/// How far ahead a video can be scheduled.
const FARTHEST: TimeDelta = TimeDelta::days(2 * 365);

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(schedule_video, unschedule_video))
        .routes(routes!(restore_video))
        .routes(routes!(get_original))
}

/// When a video is to become public.
#[derive(Debug, Deserialize, ToSchema)]
struct ScheduleRequest {
    /// In the future, at most two years.
    publish_at: DateTime<Utc>,
}

/// Where an original is.
#[derive(Debug, Serialize, ToSchema)]
struct Original {
    /// For some minutes; it is answered as a file to be saved.
    url: String,
}

/// Makes a video private until a time, when it becomes public by itself. Again: another time.
#[utoipa::path(
    put, path = "/api/videos/{id}/schedule", operation_id = "schedule_video", tag = "videos", params(("id" = VideoId, Path)),
    request_body = ScheduleRequest,
    responses(
        (status = 200, body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`hidden`: staff hide it, so it stays private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`: not in the future, or too far", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn schedule_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<ScheduleRequest>,
) -> Result<Json<VideoView>, Problem> {
    let now = Utc::now();
    let mut check = Check::default();
    let fine = body.publish_at > now && body.publish_at < now + FARTHEST;
    check.that(
        "publish_at",
        fine,
        "must be in the future, at most two years",
    );
    check.finish()?;
    set(&app, id, &caller, Some(body.publish_at)).await
}

/// Forgets the time: the video stays private until its owner says otherwise.
#[utoipa::path(
    delete, path = "/api/videos/{id}/schedule", operation_id = "unschedule_video", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn unschedule_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<Json<VideoView>, Problem> {
    set(&app, id, &caller, None).await
}

async fn set(
    app: &App,
    id: VideoId,
    caller: &CurrentUser,
    at: Option<DateTime<Utc>>,
) -> Result<Json<VideoView>, Problem> {
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let video = Video::of_owner(&mut *tx, id, owner).await?;
    if at.is_some() && video.is_some_and(|video| video.hidden_by.is_some()) {
        return Err(hidden());
    }
    let wake = flows::schedule_video(&mut tx, id, owner, at)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    app.playback.forget(id).await;
    wake.fire(&app.notifier);
    own_view(app, id, owner).await.map(Json)
}

/// Takes a video out of the trash.
#[utoipa::path(
    post, path = "/api/videos/{id}/restore", operation_id = "restore_video", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's, and for one that is not there", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn restore_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<Json<VideoView>, Problem> {
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::restore_video(&mut tx, id, owner)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    app.playback.forget(id).await;
    wake.fire(&app.notifier);
    own_view(&app, id, owner).await.map(Json)
}

/// Where the original of one's own video can be downloaded, as it was uploaded.
#[utoipa::path(
    get, path = "/api/videos/{id}/original", operation_id = "get_original", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = Original),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_original(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<(StatusCode, Json<Original>), Problem> {
    let video = Video::of_owner(&app.db, id, caller.user.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let url = app
        .storage
        .presign_download(&video.original_key, &video.original_name, DOWNLOAD_TTL)
        .await?;
    Ok((StatusCode::OK, Json(Original { url })))
}
