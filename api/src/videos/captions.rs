//! Captions of one's own videos: upload, rename, delete.

use axum::{
    Json,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
};
use millrace_domain::{
    captions::{self, MOST_BYTES, Put, Track},
    ids::{UserId, VideoId},
    videos::Video,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::extras::Extras;
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Segments},
    problem::{FieldError, Problem, ProblemBody},
    snapshot::snapshot,
};

/// The text as JSON may be several times as long: every line break and quotation mark takes two bytes, and some six.
const BODY: usize = 4 * MOST_BYTES;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(put_captions, update_captions, delete_captions))
        .layer(DefaultBodyLimit::max(BODY))
}

/// A file of captions.
#[derive(Debug, Deserialize, ToSchema)]
struct PutCaptionsRequest {
    /// WebVTT or SubRip, at most 1 MiB and 10,000 captions.
    text: String,
    /// What the menu calls it; left out: as before, or the language's own name.
    #[schema(max_length = 60)]
    label: Option<String>,
}

/// What is to be different; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
struct UpdateCaptionsRequest {
    /// Empty: the language's own name.
    #[schema(max_length = 60)]
    label: Option<String>,
    /// On for those who have not chosen; at most one track of a video is.
    is_default: Option<bool>,
}

/// Uploads captions in a language, in place of those that it had. SubRip becomes WebVTT.
#[utoipa::path(
    put, path = "/api/videos/{id}/captions/{language}", operation_id = "put_captions", tag = "videos",
    params(("id" = VideoId, Path), ("language" = String, Path, description = "BCP 47, such as `zh-TW`")),
    request_body = PutCaptionsRequest,
    responses(
        (status = 200, body = Extras),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "`too_large`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`captions_invalid`, with the line; `too_many_captions`; or `validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn put_captions(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, language)): Segments<(VideoId, String)>,
    Body(body): Body<PutCaptionsRequest>,
) -> Result<Json<Extras>, Problem> {
    let language = tag(&language)?;
    let mut check = Check::default();
    let label = body.label.map(|label| check.line("label", &label, 0, 60));
    check.finish()?;
    let cues = captions::read(&body.text).map_err(|error| {
        let message = error.to_string();
        Problem::refused("captions_invalid", message.clone()).at("text", message)
    })?;
    let text = captions::render(&cues);
    let track = Track {
        language: &language,
        label: label.as_deref(),
        body: &text,
        cues: i32::try_from(cues.len()).unwrap_or(i32::MAX),
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    match captions::put(&mut tx, id, caller.user.id, track).await? {
        Put::Done => tx.commit().await?,
        Put::NotFound => return Err(Problem::not_found()),
        Put::TooMany => {
            let detail = "a video has captions in at most 50 languages";
            return Err(Problem::refused("too_many_captions", detail));
        }
    }
    extras(&app, id, caller.user.id).await
}

/// Renames a track of captions, or makes it the default.
#[utoipa::path(
    patch, path = "/api/videos/{id}/captions/{language}", operation_id = "update_captions", tag = "videos",
    params(("id" = VideoId, Path), ("language" = String, Path)),
    request_body = UpdateCaptionsRequest,
    responses(
        (status = 200, body = Extras),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn update_captions(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, language)): Segments<(VideoId, String)>,
    Body(body): Body<UpdateCaptionsRequest>,
) -> Result<Json<Extras>, Problem> {
    let mut check = Check::default();
    let label = body.label.map(|label| check.line("label", &label, 0, 60));
    check.finish()?;
    let (owner, language) = (
        caller.user.id,
        tag(&language).map_err(|_| Problem::not_found())?,
    );
    let mut tx = millrace_bus::begin(&app.db).await?;
    if !captions::change(
        &mut tx,
        id,
        owner,
        &language,
        label.as_deref(),
        body.is_default,
    )
    .await?
    {
        return Err(Problem::not_found());
    }
    tx.commit().await?;
    extras(&app, id, owner).await
}

/// Deletes a track of captions.
#[utoipa::path(
    delete, path = "/api/videos/{id}/captions/{language}", operation_id = "delete_captions", tag = "videos",
    params(("id" = VideoId, Path), ("language" = String, Path)),
    responses(
        (status = 204, description = "gone"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn delete_captions(
    State(app): State<App>,
    caller: CurrentUser,
    Segments((id, language)): Segments<(VideoId, String)>,
) -> Result<StatusCode, Problem> {
    let language = tag(&language).map_err(|_| Problem::not_found())?;
    if captions::delete(&app.db, id, caller.user.id, &language).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found())
    }
}

fn tag(language: &str) -> Result<String, Problem> {
    captions::language(language).ok_or_else(|| {
        Problem::validation(vec![FieldError {
            field: "language".to_owned(),
            message: "must be a language tag such as en or zh-TW".to_owned(),
        }])
    })
}

async fn extras(app: &App, id: VideoId, owner: UserId) -> Result<Json<Extras>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let video = Video::of_owner(&mut *conn, id, owner)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok(Json(Extras::of(&mut conn, app, &video).await?))
}
