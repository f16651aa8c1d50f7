//! What players say that they played, and the figures that come of it, for the owner.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::NaiveDate;
use millrace_domain::{
    accounts,
    ids::VideoId,
    videos::{self, Beacon, Day, Video},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::may_watch;
use crate::{
    address::Address,
    app::App,
    auth::{CurrentUser, MaybeUser},
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// Parts in one beacon.
const MOST_RANGES: usize = 50;
/// Seconds of video in one beacon: they come several times a minute.
const MOST_PLAYED: f32 = 600.0;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(send_beacon))
        .routes(routes!(get_statistics))
}

/// What a player played since it last said something.
#[derive(Debug, Deserialize, ToSchema)]
struct BeaconRequest {
    /// The first of a sitting.
    begins: bool,
    /// From where to where, in seconds; at most 50 parts of 600 seconds in all.
    #[schema(max_items = 50)]
    ranges: Vec<PlayedRange>,
}

/// A part that was played.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
struct PlayedRange {
    /// Seconds.
    #[schema(minimum = 0)]
    from: f32,
    /// Seconds.
    #[schema(minimum = 0)]
    to: f32,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatisticsQuery {
    /// How many days back; 28 unless said.
    #[param(minimum = 1, maximum = 365)]
    days: Option<i32>,
}

/// The figures of a video. They are some minutes old at most.
#[derive(Debug, Serialize, ToSchema)]
struct Statistics {
    /// Days that have anything, in order. Others have nothing.
    days: Vec<DayView>,
    /// Since the video exists.
    views: i64,
    /// Seconds since the video exists.
    watch_seconds: f64,
    /// Of one view, in seconds.
    average_seconds: f64,
    /// What share of people watched each hundredth of the video; more than 1 where they watched it again. Empty before
    /// anybody did.
    retention: Vec<f64>,
}

/// A day (UTC).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StatisticsDay)]
struct DayView {
    day: NaiveDate,
    views: i64,
    watch_seconds: f64,
}

/// Notes what was played. Players say it every few seconds, with or without an account.
#[utoipa::path(
    post, path = "/api/videos/{id}/beacons", operation_id = "send_beacon", tag = "playback", params(("id" = VideoId, Path)),
    request_body = BeaconRequest,
    responses(
        (status = 204, description = "noted, or the video is absent or private (players say their last words after a video was deleted, too)"),
        (status = 401, description = "`unauthenticated`: a token that is no good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn send_beacon(
    State(app): State<App>,
    caller: MaybeUser,
    address: Address,
    Id(id): Id<VideoId>,
    Body(body): Body<BeaconRequest>,
) -> Result<StatusCode, Problem> {
    let beacon = check(&body)?;
    let key = format!("beacon:{}", address.0);
    if let Some(wait) = accounts::take(&app.db, &key, app.settings.beacon_bucket).await? {
        return Err(Problem::throttled(wait));
    }
    let video = Video::find(&app.db, id).await?;
    if video.is_some_and(|video| may_watch(&video, caller.id())) {
        videos::note_beacon(&app.db, id, &beacon).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

fn check(body: &BeaconRequest) -> Result<Beacon, Problem> {
    let mut check = Check::default();
    let sound =
        |r: &PlayedRange| r.from.is_finite() && r.to.is_finite() && r.from >= 0.0 && r.to >= r.from;
    check.that(
        "ranges",
        body.ranges.len() <= MOST_RANGES && body.ranges.iter().all(sound),
        "must be at most 50, each from a second to a later one",
    );
    let played: f32 = body.ranges.iter().map(|r| r.to - r.from).sum();
    check.that(
        "ranges",
        played <= MOST_PLAYED,
        "must be at most 600 seconds in all",
    );
    check.finish()?;
    Ok(Beacon {
        begins: body.begins,
        ranges: body.ranges.iter().map(|r| (r.from, r.to)).collect(),
    })
}

/// The figures of one's own video.
#[utoipa::path(
    get, path = "/api/videos/{id}/statistics", operation_id = "get_statistics", tag = "videos",
    params(("id" = VideoId, Path), StatisticsQuery),
    responses(
        (status = 200, body = Statistics),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_statistics(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Params(query): Params<StatisticsQuery>,
) -> Result<Json<Statistics>, Problem> {
    let days = query.days.unwrap_or(28);
    if !(1..=365).contains(&days) {
        let problem = Problem::bad_request("validation", "the query is not as it must be");
        return Err(problem.at("days", "must be from 1 to 365"));
    }
    let mut conn = snapshot(&app.db).await?;
    let video = Video::of_owner(&mut *conn, id, caller.user.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let days = videos::days_of(&mut *conn, id, days).await?;
    let (views, watched) = videos::totals_of(&mut *conn, id).await?;
    let parts = videos::parts_of(&mut *conn, id).await?;
    drop(conn);
    let part = video.as_played().duration.unwrap_or_default() / parts.len() as f64;
    let people = views.max(1) as f64;
    let view = |day: Day| DayView {
        day: day.day,
        views: day.views,
        watch_seconds: day.watched,
    };
    Ok(Json(Statistics {
        days: days.into_iter().map(view).collect(),
        views,
        watch_seconds: watched,
        average_seconds: watched / people,
        retention: if watched > 0.0 && part > 0.0 {
            parts
                .iter()
                .map(|seconds| seconds / part / people)
                .collect()
        } else {
            Vec::new()
        },
    }))
}
