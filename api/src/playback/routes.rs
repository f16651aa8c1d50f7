//! The routes below /api/hls, and the poster.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use millrace_domain::{ids::VideoId, media::Rendition, videos::Visibility};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    PlaybackToken,
    addresses::init_key,
    playlists::{List, Name, Playlist, Rendered},
};
use crate::{
    app::App,
    input::{Id, Params, Segments},
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_playlist))
        .routes(routes!(get_segment))
        .routes(routes!(get_file))
        .routes(routes!(get_poster))
}

/// A playlist: `master.m3u8`, `{rendition}.m3u8` or `{rendition}-iframes.m3u8`.
#[utoipa::path(
    get, path = "/api/hls/{token}/{list}/{file}", operation_id = "get_playlist", tag = "playback",
    params(
        ("token" = String, Path, description = "a playback token"),
        ("list" = String, Path, description = "`event` or `remux` while the video is being made, `vod` afterwards"),
        ("file" = String, Path),
    ),
    responses(
        (status = 200, description = "the playlist", body = String, content_type = "application/vnd.apple.mpegurl"),
        (status = 304, description = "not changed since"),
        (status = 404, description = "`not_found`: also for a token that is forged or over", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_playlist(
    State(app): State<App>,
    Segments((token, list, file)): Segments<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let list = List::parse(&list).ok_or_else(Problem::not_found)?;
    let name = Name::parse(&file).ok_or_else(Problem::not_found)?;
    let playback = &app.playback;
    let (token, entitlement) = playback.admit(&app.db, &token).await?;
    let cdn = playback.delivery.cdn(entitlement.visibility);
    let playlist = Playlist {
        video: token.video,
        generation: token.generation,
        list,
        name,
        direct: cdn.is_some(),
    };
    let rendered = playback.memory.playlist(&app.db, playlist, cdn).await?;
    let cookies = playback
        .delivery
        .cookies(token.video, token.generation, token.expires_at)
        .await?;
    let caching = caching(list, entitlement.visibility, !cookies.is_empty());
    let mut response = answer(&headers, rendered, caching);
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// How long a playlist may be kept. A final one never changes under its address, but the video may be hidden; and one
/// that brings cookies is for one viewer, and must bring them in time.
fn caching(list: List, visibility: Visibility, cookies: bool) -> HeaderValue {
    HeaderValue::from_static(match (list, visibility) {
        (_, Visibility::Private) => "private, no-store",
        _ if cookies => "private, no-cache",
        (List::Event | List::Remux, _) => "no-cache",
        (List::Vod, _) => "public, max-age=3600, immutable",
    })
}

fn answer(headers: &HeaderMap, playlist: Rendered, caching: HeaderValue) -> Response {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let tag = playlist.tag.to_str().map(opaque).unwrap_or_default();
    let same = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.split(',').any(|one| opaque(one) == tag));
    let head = [
        (header::CACHE_CONTROL, caching),
        (header::ETAG, playlist.tag),
    ];
    if same {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "application/vnd.apple.mpegurl")];
    (head, kind, playlist.text).into_response()
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct InitQuery {
    /// For `init.mp4`: which one, as the playlist says.
    k: Option<String>,
}

/// A segment (`{n}.m4s`) or an init segment (`init.mp4`): a redirect to the store.
#[utoipa::path(
    get, path = "/api/hls/{token}/s/{rendition}/{file}", operation_id = "get_segment", tag = "playback",
    params(
        ("token" = String, Path, description = "a playback token"),
        ("rendition" = String, Path),
        ("file" = String, Path),
        InitQuery,
    ),
    responses(
        (status = 307, description = "where the bytes are", headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_segment(
    State(app): State<App>,
    method: Method,
    Segments((token, rendition, file)): Segments<(String, String, String)>,
    Params(query): Params<InitQuery>,
) -> Result<Response, Problem> {
    let rendition: Rendition = rendition.parse().map_err(|_| Problem::not_found())?;
    let (token, entitlement) = app.playback.admit(&app.db, &token).await?;
    let PlaybackToken {
        video, generation, ..
    } = token;
    let key = if file == "init.mp4" {
        query
            .k
            .and_then(|tail| init_key(video, generation, rendition, &tail))
            .ok_or_else(Problem::not_found)?
    } else {
        let n = file
            .strip_suffix(".m4s")
            .and_then(|n| n.parse().ok())
            .filter(|n| (0..i32::MAX).contains(n))
            .ok_or_else(Problem::not_found)?;
        app.playback
            .memory
            .segment(&app.db, video, generation, rendition, n)
            .await?
    };
    redirect(&app, &method, &key, entitlement.visibility).await
}

/// The whole video as one MP4 file, while it is being made from a small source that browsers play anyway: a redirect to
/// the store, which answers ranges. It is a copy of picture and sound, never the upload itself.
#[utoipa::path(
    get, path = "/api/hls/{token}/file.mp4", operation_id = "get_file", tag = "playback",
    params(("token" = String, Path, description = "a playback token")),
    responses(
        (status = 307, description = "where the bytes are", headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_file(
    State(app): State<App>,
    method: Method,
    Segments(token): Segments<String>,
) -> Result<Response, Problem> {
    let (key, visibility) = app.playback.file(&app.db, &token).await?;
    redirect(&app, &method, &key, visibility).await
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PosterQuery {
    /// The playback token that the video's `poster_url` carries.
    t: Option<String>,
}

/// The poster: a redirect to the store.
#[utoipa::path(
    get, path = "/api/videos/{id}/poster", operation_id = "get_poster", tag = "playback",
    params(("id" = VideoId, Path), PosterQuery),
    responses(
        (status = 307, description = "where the picture is", headers(("Location" = String))),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(())
)]
async fn get_poster(
    State(app): State<App>,
    method: Method,
    Id(id): Id<VideoId>,
    Params(query): Params<PosterQuery>,
) -> Result<Response, Problem> {
    let token = query.t.ok_or_else(Problem::not_found)?;
    let (key, visibility) = app.playback.poster(&app.db, &token, id).await?;
    redirect(&app, &method, &key, visibility).await
}

pub(super) async fn redirect(
    app: &App,
    method: &Method,
    key: &str,
    visibility: Visibility,
) -> Result<Response, Problem> {
    let delivery = &app.playback.delivery;
    let found = delivery.find(&app.storage, key, visibility, method).await?;
    let head = [
        (header::LOCATION, found.url),
        (header::CACHE_CONTROL, found.caching),
    ];
    Ok((StatusCode::TEMPORARY_REDIRECT, head).into_response())
}
