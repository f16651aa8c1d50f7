//! Pages of lists: what is asked for, and videos by their ids.

use std::collections::HashMap;

use millrace_domain::{
    accounts,
    ids::{UserId, VideoId},
    keyset::{MOST, Page, Wanted},
    videos::Video,
};
use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::IntoParams;

use crate::{
    app::App,
    playback::Playback,
    problem::Problem,
    videos::{VideoPage, VideoView, may_watch},
};

/// Items on a page unless more or fewer are asked for.
const PAGE: i64 = 24;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

impl PageQuery {
    /// What the domain is asked for.
    pub(crate) fn wanted(self) -> Result<Wanted, Problem> {
        wanted(self.cursor, self.limit)
    }
}

/// What the domain is asked for.
pub(crate) fn wanted(cursor: Option<String>, limit: Option<i64>) -> Result<Wanted, Problem> {
    let limit = limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&limit) {
        return Err(
            Problem::bad_request("validation", "the query is not as it must be")
                .at("limit", "must be from 1 to 100"),
        );
    }
    Ok(Wanted { cursor, limit })
}

/// The views of a page of videos, in its order. One that vanished since is left out.
pub(crate) async fn video_page(
    conn: &mut PgConnection,
    page: Page<VideoId>,
    playback: &Playback,
) -> Result<VideoPage, Problem> {
    Ok(VideoPage {
        items: views_of(conn, &page.items, playback)
            .await?
            .into_iter()
            .flatten()
            .collect(),
        next_cursor: page.next_cursor,
    })
}

/// The views of videos in this order; none for those that are gone.
pub(crate) async fn views_of(
    conn: &mut PgConnection,
    ids: &[VideoId],
    playback: &Playback,
) -> Result<Vec<Option<VideoView>>, Problem> {
    let videos = Video::find_all(&mut *conn, ids).await?;
    let views = VideoView::of_all(conn, &videos, playback).await?;
    let mut by_id: HashMap<VideoId, VideoView> =
        videos.iter().map(|video| video.id).zip(views).collect();
    Ok(ids.iter().map(|id| by_id.remove(id)).collect())
}

/// The video, if `viewer` may watch it: 404 otherwise.
pub(crate) async fn watchable(
    conn: &mut PgConnection,
    id: VideoId,
    viewer: Option<UserId>,
) -> Result<Video, Problem> {
    Video::find(conn, id)
        .await?
        .filter(|video| may_watch(video, viewer))
        .ok_or_else(Problem::not_found)
}

/// Takes one of the small things that a person may do: 429 when there were too many.
pub(crate) async fn gesture(app: &App, user: UserId) -> Result<(), Problem> {
    let key = format!("gesture:{user}");
    match accounts::take(&app.db, &key, app.settings.gesture_bucket).await? {
        Some(wait) => Err(Problem::throttled(wait)),
        None => Ok(()),
    }
}
