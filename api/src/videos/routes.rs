//! Look at videos, list them, change, delete, retry and cancel them.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::{UserId, VideoId},
    videos::{self, Category, Changes, Filter, Sort, Status, Video, Visibility},
};
use millrace_jobs::flows::{self, FlowError};
use millrace_queue::Wake;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{VideoView, bulk, captions, extras, lifecycle, may_watch, statistics, thumbnails};
use crate::{
    address::Address,
    app::App,
    auth::{CurrentUser, MaybeUser},
    discovery::questioned,
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// Videos on a page unless more or fewer are asked for.
const PAGE: i64 = 24;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_videos))
        .routes(routes!(get_video, update_video, delete_video))
        .routes(routes!(retry_video))
        .routes(routes!(cancel_video))
        .merge(extras::router())
        .merge(captions::router())
        .merge(thumbnails::router())
        .merge(lifecycle::router())
        .merge(statistics::router())
        .merge(bulk::router())
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Words of the title or description, or any part of the title.
    #[param(max_length = 200)]
    query: Option<String>,
    #[param(inline)]
    sort: Option<Sort>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Whose: all that are public, or with `me`, one's own in every state.
    #[param(inline)]
    owner: Option<OwnerFilter>,
    /// Only those with this tag.
    #[param(max_length = 60)]
    tag: Option<String>,
    /// Only those of this kind.
    #[param(inline)]
    category: Option<Category>,
    /// Of one's own: only those with this visibility.
    #[param(inline)]
    visibility: Option<Visibility>,
    /// Of one's own: only those in this state.
    #[param(inline)]
    status: Option<Status>,
    /// Of one's own: those in the trash, and only those.
    trash: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OwnerFilter {
    Me,
}

/// A page of videos.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VideoPage {
    pub(crate) items: Vec<VideoView>,
    /// For the next page; none on the last.
    #[schema(required)]
    pub(crate) next_cursor: Option<String>,
}

/// What its owner changes; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
struct UpdateVideoRequest {
    #[schema(min_length = 1, max_length = 100)]
    title: Option<String>,
    #[schema(max_length = 5000)]
    description: Option<String>,
    visibility: Option<Visibility>,
    /// At most 20, of at most 30 characters. They are stored in lower case and without `#`.
    #[schema(max_items = 20)]
    tags: Option<Vec<String>>,
    /// Null: none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Category>)]
    category: Option<Option<Category>>,
}

/// What is there is meant, null included.
#[expect(
    clippy::option_option,
    reason = "left out, null, and a value are three things"
)]
fn given<'de, D, T>(source: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(source).map(Some)
}

/// Public videos that can be watched, or one's own.
#[utoipa::path(
    get, path = "/api/videos", operation_id = "list_videos", tag = "videos", params(ListQuery),
    responses(
        (status = 200, body = VideoPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_videos(
    State(app): State<App>,
    caller: MaybeUser,
    address: Address,
    Params(query): Params<ListQuery>,
) -> Result<Json<VideoPage>, Problem> {
    let owner = match query.owner {
        None => None,
        Some(OwnerFilter::Me) => Some(
            caller
                .id()
                .ok_or_else(|| Problem::unauthenticated("log in to see your own"))?,
        ),
    };
    let limit = query.limit.unwrap_or(PAGE);
    let text = query.query.as_deref().unwrap_or_default();
    let bad = |field, message| {
        Err(Problem::bad_request("validation", "the query is not as it must be").at(field, message))
    };
    if !(1..=100).contains(&limit) {
        return bad("limit", "must be from 1 to 100");
    }
    if text.chars().count() > 200 || text.chars().any(char::is_control) {
        return bad(
            "query",
            "must have at most 200 characters, none of them control characters",
        );
    }
    if owner.is_none() && !text.trim().is_empty() {
        let bucket = app.settings.search_bucket;
        questioned(&app, &caller, &address, "search", bucket).await?;
    }
    let filter = Filter {
        owner,
        query: query.query,
        // What cannot be a tag is on no video.
        tag: query
            .tag
            .map(|tag| videos::tag(&tag).unwrap_or_else(|| "\u{1}".to_owned())),
        category: query.category,
        visibility: query.visibility.filter(|_| owner.is_some()),
        status: query.status.filter(|_| owner.is_some()),
        trash: query.trash == Some(true) && owner.is_some(),
        sort: query.sort.unwrap_or_default(),
        // One that was not ours would hold anything, control characters included.
        cursor: query.cursor.filter(|cursor| cursor.len() <= 1_000),
        limit,
    };
    let mut conn = snapshot(&app.db).await?;
    let page = videos::list(&mut *conn, &filter).await?;
    let items = VideoView::of_all(&mut conn, &page.items, &app.playback).await?;
    Ok(Json(VideoPage {
        items,
        next_cursor: page.next_cursor,
    }))
}

/// One video.
#[utoipa::path(
    get, path = "/api/videos/{id}", operation_id = "get_video", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = VideoView),
        (status = 401, description = "`unauthenticated`: a token that is no good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_video(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
) -> Result<Json<VideoView>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let video = Video::find(&mut *conn, id)
        .await?
        .filter(|video| may_watch(video, caller.id()));
    let video = video.ok_or_else(Problem::not_found)?;
    Ok(Json(VideoView::of(&mut conn, &video, &app.playback).await?))
}

/// Changes title, description, visibility, tags or category.
#[utoipa::path(
    patch, path = "/api/videos/{id}", operation_id = "update_video", tag = "videos", params(("id" = VideoId, Path)),
    request_body = UpdateVideoRequest,
    responses(
        (status = 200, body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`hidden`: staff hide it, so it stays private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn update_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<UpdateVideoRequest>,
) -> Result<Json<VideoView>, Problem> {
    let mut check = Check::default();
    let changes = Changes {
        title: body.title.map(|title| check.line("title", &title, 1, 100)),
        description: body
            .description
            .map(|text| check.text("description", &text, 5_000)),
        visibility: body.visibility,
        tags: body.tags.as_deref().and_then(videos::tags),
        category: body.category,
    };
    check.that(
        "tags",
        body.tags.is_none() || changes.tags.is_some(),
        "must be at most 20 of 1 to 30 characters, without commas",
    );
    check.finish()?;
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !Video::change(&mut *tx, id, owner, &changes).await? {
        return Err(Problem::not_found());
    }
    let video = Video::find(&mut *tx, id).await?;
    if video
        .as_ref()
        .is_some_and(|video| video.hidden_by.is_some())
        && changes
            .visibility
            .is_some_and(|wish| wish != Visibility::Private)
    {
        return Err(hidden());
    }
    // Followers hear of a video when it becomes public, once.
    let mut wake = match video {
        Some(video) if changes.visibility.is_some() => {
            flows::announce_video(&mut tx, &video).await?
        }
        _ => Wake::none(),
    };
    wake.merge(videos::video_changed(&mut tx, id, owner).await?);
    tx.commit().await?;
    app.playback.forget(id).await;
    wake.fire(&app.notifier);
    own_view(&app, id, owner).await.map(Json)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Not into the trash, but for good; also of what is in the trash.
    forever: Option<bool>,
}

/// Puts a video into the trash, from where it can be restored for 30 days; or deletes it for good: at once, its objects
/// soon after.
#[utoipa::path(
    delete, path = "/api/videos/{id}", operation_id = "delete_video", tag = "videos", params(("id" = VideoId, Path), DeleteQuery),
    responses(
        (status = 204, description = "gone"),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn delete_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Params(query): Params<DeleteQuery>,
) -> Result<StatusCode, Problem> {
    let owner = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let gone = if query.forever == Some(true) {
        flows::delete_video(&mut tx, id, owner).await
    } else {
        flows::trash_video(&mut tx, id, owner).await
    };
    let wake = gone.map_err(refusal)?;
    tx.commit().await?;
    app.playback.forget(id).await;
    wake.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}

/// Processes a failed video again.
#[utoipa::path(
    post, path = "/api/videos/{id}/retry", operation_id = "retry_video", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 202, description = "it is being processed", body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it has not failed", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn retry_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<(StatusCode, Json<VideoView>), Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::retry_video(&mut tx, id, caller.user.id)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    app.playback.forget(id).await;
    wake.fire(&app.notifier);
    Ok((
        StatusCode::ACCEPTED,
        Json(own_view(&app, id, caller.user.id).await?),
    ))
}

/// Stops processing a video.
#[utoipa::path(
    post, path = "/api/videos/{id}/cancel", operation_id = "cancel_video", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 202, description = "it stops", body = VideoView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it is not being processed", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn cancel_video(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
) -> Result<(StatusCode, Json<VideoView>), Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::cancel_video(&mut tx, id, caller.user.id)
        .await
        .map_err(refusal)?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok((
        StatusCode::ACCEPTED,
        Json(own_view(&app, id, caller.user.id).await?),
    ))
}

pub(super) async fn own_view(app: &App, id: VideoId, owner: UserId) -> Result<VideoView, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let video = Video::of_owner(&mut *conn, id, owner).await?;
    let video = video.ok_or_else(Problem::not_found)?;
    Ok(VideoView::of(&mut conn, &video, &app.playback).await?)
}

/// 409: staff hide the video.
pub(super) fn hidden() -> Problem {
    Problem::conflict("hidden", "staff hide the video, so it stays private")
}

pub(crate) fn refusal(error: FlowError) -> Problem {
    match error {
        FlowError::NotFound => Problem::not_found(),
        FlowError::WrongState(status) => {
            Problem::conflict("conflict", format!("the video is {}", status.word()))
        }
        error => error.into(),
    }
}
