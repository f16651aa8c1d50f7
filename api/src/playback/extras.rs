//! What players show besides the video: captions and the pictures of the seek bar. Under the same tokens as playlists.

use axum::{
    extract::State,
    http::{HeaderMap, Method, header},
    response::{IntoResponse, Response},
};
use millrace_domain::{
    captions,
    videos::{self, Visibility},
};
use sha2::{Digest as _, Sha256};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::routes::redirect;
use crate::{
    app::App,
    input::Segments,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_storyboard))
        .routes(routes!(get_sheet))
        .routes(routes!(get_captions))
}

/// The pictures of the seek bar: WebVTT whose cues name places on sheets (`#xywh=`).
#[utoipa::path(
    get, path = "/api/hls/{token}/storyboard.vtt", operation_id = "get_storyboard", tag = "playback",
    params(("token" = String, Path, description = "a playback token")),
    responses(
        (status = 200, description = "the list", body = String, content_type = "text/vtt"),
        (status = 404, description = "`not_found`: also before it is made", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_storyboard(
    State(app): State<App>,
    Segments(token): Segments<String>,
) -> Result<Response, Problem> {
    let (token, entitlement) = app.playback.admit(&app.db, &token).await?;
    let board = videos::board(&app.db, token.video, token.generation).await?;
    let layout = board.ok_or_else(Problem::not_found)?.layout;
    let seconds = f64::from(layout.shots) * layout.interval;
    let text = layout.vtt(seconds, |n| format!("board/{n}.jpg"));
    // It never changes under its address.
    let caching = match entitlement.visibility {
        Visibility::Private => "private, no-store",
        _ => "public, max-age=3600",
    };
    let head = [
        (header::CONTENT_TYPE, "text/vtt; charset=utf-8"),
        (header::CACHE_CONTROL, caching),
    ];
    Ok((head, text).into_response())
}

/// A sheet of small pictures (`{n}.jpg`): a redirect to the store.
#[utoipa::path(
    get, path = "/api/hls/{token}/board/{file}", operation_id = "get_sheet", tag = "playback",
    params(("token" = String, Path, description = "a playback token"), ("file" = String, Path)),
    responses(
        (status = 307, description = "where the picture is", headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_sheet(
    State(app): State<App>,
    method: Method,
    Segments((token, file)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let n: Option<usize> = file.strip_suffix(".jpg").and_then(|n| n.parse().ok());
    let (token, entitlement) = app.playback.admit(&app.db, &token).await?;
    let board = videos::board(&app.db, token.video, token.generation).await?;
    let key = n
        .zip(board)
        .and_then(|(n, board)| board.sheets.get(n).cloned());
    let key = key.ok_or_else(Problem::not_found)?;
    redirect(&app, &method, &key, entitlement.visibility).await
}

/// Captions (`{language}.vtt`) as WebVTT.
#[utoipa::path(
    get, path = "/api/hls/{token}/captions/{file}", operation_id = "get_captions", tag = "playback",
    params(("token" = String, Path, description = "a playback token"), ("file" = String, Path)),
    responses(
        (status = 200, description = "the captions", body = String, content_type = "text/vtt"),
        (status = 304, description = "not changed since"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_captions(
    State(app): State<App>,
    headers: HeaderMap,
    Segments((token, file)): Segments<(String, String)>,
) -> Result<Response, Problem> {
    let language = file.strip_suffix(".vtt").ok_or_else(Problem::not_found)?;
    let (token, entitlement) = app.playback.admit(&app.db, &token).await?;
    let text = captions::caption_text(&app.db, token.video, language).await?;
    let text = text.ok_or_else(Problem::not_found)?;
    let tag = format!(
        "W/\"{}\"",
        hex::encode(&Sha256::digest(text.as_bytes())[..12])
    );
    // Their owner may correct them: whoever keeps them asks whether they are still the same.
    let caching = match entitlement.visibility {
        Visibility::Private => "private, no-store",
        _ => "no-cache",
    };
    let head = [
        (header::CONTENT_TYPE, "text/vtt; charset=utf-8".to_owned()),
        (header::CACHE_CONTROL, caching.to_owned()),
        (header::ETAG, tag.clone()),
    ];
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
        return Ok((axum::http::StatusCode::NOT_MODIFIED, head).into_response());
    }
    Ok((head, text).into_response())
}
