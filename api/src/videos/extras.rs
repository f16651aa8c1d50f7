//! What belongs to watching a video besides the video: captions, chapters, the pictures of the seek bar.

use axum::{Json, extract::State};
use millrace_domain::{
    captions::{self, CaptionTrack},
    ids::VideoId,
    videos::{self, Chapter, MOST_CHAPTERS, Video},
};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::may_watch;
use crate::{
    app::App,
    auth::{CurrentUser, MaybeUser},
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// Seconds of a week: no video is longer.
const LATEST: i32 = 7 * 24 * 3600;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get_extras))
        .routes(routes!(set_chapters))
}

/// What a player shows besides the video.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Extras {
    /// WebVTT whose cues name pictures of the seek bar; none before they are made.
    #[schema(required)]
    storyboard_url: Option<String>,
    captions: Vec<Caption>,
    chapters: Vec<ChapterView>,
    /// Where the chapters come from.
    chapters_from: ChaptersFrom,
}

/// A track of captions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Caption {
    /// BCP 47.
    #[schema(example = "zh-TW")]
    language: String,
    /// What its owner calls it; empty: the language's own name.
    label: String,
    /// Whether it is on for those who have not chosen.
    is_default: bool,
    /// How many captions it has.
    cues: i32,
    /// WebVTT.
    url: String,
}

/// A part of a video with a title.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Chapter)]
struct ChapterView {
    /// Seconds.
    #[schema(minimum = 0, maximum = 604800)]
    start: i32,
    #[schema(min_length = 1, max_length = 100)]
    title: String,
}

/// Who said where chapters begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ChaptersFrom {
    /// The time stamps in the description.
    Description,
    /// The owner's list.
    List,
}

/// The chapters that a video is to have.
#[derive(Debug, Deserialize, ToSchema)]
struct SetChaptersRequest {
    /// The first begins at 0. None at all: those that the description tells.
    #[schema(max_items = 100)]
    chapters: Vec<ChapterView>,
}

impl Extras {
    pub(super) async fn of(
        conn: &mut PgConnection,
        app: &App,
        video: &Video,
    ) -> Result<Self, sqlx::Error> {
        let shown = video.as_played();
        let board = videos::board(&mut *conn, video.id, shown.generation).await?;
        let tracks = captions::tracks(&mut *conn, video.id).await?;
        let listed = videos::listed_chapters(conn, video.id).await?;
        let (chapters, chapters_from) = if listed.is_empty() {
            let told = videos::told_chapters(&video.description, shown.duration);
            (told, ChaptersFrom::Description)
        } else {
            (listed, ChaptersFrom::List)
        };
        let view = |chapter: Chapter| ChapterView {
            start: chapter.start,
            title: chapter.title,
        };
        Ok(Self {
            storyboard_url: board.map(|_| app.playback.extra_url(video, "storyboard.vtt")),
            captions: tracks
                .into_iter()
                .map(|track| Caption::new(app, video, track))
                .collect(),
            chapters: chapters.into_iter().map(view).collect(),
            chapters_from,
        })
    }
}

impl Caption {
    fn new(app: &App, video: &Video, track: CaptionTrack) -> Self {
        let file = format!("captions/{}.vtt", track.language);
        Self {
            url: app.playback.extra_url(video, &file),
            language: track.language,
            label: track.label,
            is_default: track.is_default,
            cues: track.cues,
        }
    }
}

/// Captions, chapters and the pictures of the seek bar of a video.
#[utoipa::path(
    get, path = "/api/videos/{id}/extras", operation_id = "get_extras", tag = "videos", params(("id" = VideoId, Path)),
    responses(
        (status = 200, body = Extras),
        (status = 401, description = "`unauthenticated`: a token that is no good", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_extras(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
) -> Result<Json<Extras>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let video = Video::find(&mut *conn, id)
        .await?
        .filter(|video| may_watch(video, caller.id()))
        .ok_or_else(Problem::not_found)?;
    Ok(Json(Extras::of(&mut conn, &app, &video).await?))
}

/// Puts a list of chapters in place of the one before.
#[utoipa::path(
    put, path = "/api/videos/{id}/chapters", operation_id = "set_chapters", tag = "videos", params(("id" = VideoId, Path)),
    request_body = SetChaptersRequest,
    responses(
        (status = 200, body = Extras),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`: too many, out of order, or after the end", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn set_chapters(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<SetChaptersRequest>,
) -> Result<Json<Extras>, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let video = Video::lock(&mut tx, id)
        .await?
        .filter(|video| video.user_id == caller.user.id && video.deleted_at.is_none())
        .ok_or_else(Problem::not_found)?;
    let chapters = check(body.chapters, video.as_played().duration)?;
    videos::set_chapters(&mut tx, id, &chapters).await?;
    let extras = Extras::of(&mut tx, &app, &video).await?;
    tx.commit().await?;
    Ok(Json(extras))
}

fn check(chapters: Vec<ChapterView>, duration: Option<f64>) -> Result<Vec<Chapter>, Problem> {
    let mut check = Check::default();
    check.that(
        "chapters",
        chapters.len() <= MOST_CHAPTERS,
        "must be at most 100",
    );
    let first = chapters.first().is_none_or(|c| c.start == 0);
    check.that("chapters.0.start", first, "the first chapter begins at 0");
    let mut before = -1;
    let mut all = Vec::new();
    for (n, chapter) in chapters.into_iter().enumerate().take(MOST_CHAPTERS) {
        let field = format!("chapters.{n}.start");
        check.that(
            &field,
            chapter.start > before,
            "must be after the chapter before",
        );
        let inside = chapter.start <= LATEST
            && duration.is_none_or(|seconds| f64::from(chapter.start) < seconds.max(1.0));
        check.that(&field, inside, "must be before the end of the video");
        before = chapter.start;
        let title = check.line(&format!("chapters.{n}.title"), &chapter.title, 1, 100);
        all.push(Chapter {
            start: chapter.start,
            title,
        });
    }
    check.finish()?;
    Ok(all)
}
