//! What somebody watched, and where they stopped.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    ids::{UserId, VideoId},
    keyset::{Page, Wanted},
};

/// How far a player's clock may be ahead of ours, and how late a report may come.
const AHEAD: TimeDelta = TimeDelta::seconds(5);
const LATE: TimeDelta = TimeDelta::hours(24);

/// A video that somebody watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    pub video: VideoId,
    /// Seconds.
    pub position: f64,
    pub watched_at: DateTime<Utc>,
}

/// Keeps where somebody is in a video, unless they want no history. Of reports that overtake each other the newest wins;
/// `said_at` is the player's clock, which is believed within bounds. `false` if it was not kept.
///
/// # Errors
/// Those of the statement.
pub async fn keep(
    db: impl PgExecutor<'_>,
    user: UserId,
    video: VideoId,
    position: f64,
    said_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let now = Utc::now();
    let done = sqlx::query!(
        "insert into watch_history as h (user_id, video_id, position, said_at)
         select $1, $2, $3, $4 where not exists (select from history_pauses where user_id = $1)
         on conflict (user_id, video_id) do update
            set position = excluded.position, said_at = excluded.said_at, watched_at = now()
          where h.said_at <= excluded.said_at",
        user.0,
        video.0,
        position,
        said_at.clamp(now - LATE, now + AHEAD),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What somebody watched and may still watch, the latest first; `words` are parts of titles.
///
/// # Errors
/// Those of the statement.
pub async fn watched(
    db: impl PgExecutor<'_>,
    user: UserId,
    words: Option<&str>,
    wanted: &Wanted,
) -> Result<Page<Watched>, sqlx::Error> {
    let after: Option<(DateTime<Utc>, Uuid)> = wanted.place();
    let rows = sqlx::query_as!(
        Watched,
        r#"select h.video_id as "video: _", h.position, h.watched_at
             from watch_history h join videos v on v.id = h.video_id
            where h.user_id = $1 and v.deleted_at is null and (v.visibility <> 'private' or v.user_id = $1)
              and ($2::text is null or strpos(lower(v.title), lower($2)) > 0)
              and ($3::timestamptz is null or (h.watched_at, h.video_id) < ($3, $4::uuid))
            order by h.watched_at desc, h.video_id desc limit $5"#,
        user.0,
        words,
        after.map(|place| place.0),
        after.map(|place| place.1),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| (row.watched_at, row.video.0)))
}

/// What somebody began and did not end, the latest first, of their last 200.
///
/// # Errors
/// Those of the statement.
pub async fn unfinished(
    db: impl PgExecutor<'_>,
    user: UserId,
    limit: i64,
) -> Result<Vec<Watched>, sqlx::Error> {
    sqlx::query_as!(
        Watched,
        r#"select h.video_id as "video: _", h.position, h.watched_at
             from (select * from watch_history where user_id = $1 order by watched_at desc limit 200) h
             join videos v on v.id = h.video_id
            where v.deleted_at is null and (v.visibility <> 'private' or v.user_id = $1) and v.playable_at is not null and v.status <> 'failed'
              and h.position between 5 and v.duration * 0.95
            order by h.watched_at desc, h.video_id desc limit $2"#,
        user.0,
        limit,
    )
    .fetch_all(db)
    .await
}

/// Forgets one video, or with `None` all of them and what was recommended for them.
///
/// # Errors
/// Those of the statement.
pub async fn forget(
    db: impl PgExecutor<'_>,
    user: UserId,
    video: Option<VideoId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with unknown as (delete from recommendations where user_id = $1 and $2::uuid is null)
         delete from watch_history where user_id = $1 and ($2::uuid is null or video_id = $2)",
        user.0,
        video.map(|id| id.0),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether somebody wants no history to be kept.
///
/// # Errors
/// Those of the statement.
pub async fn is_paused(db: impl PgExecutor<'_>, user: UserId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from history_pauses where user_id = $1) as "paused!""#,
        user.0
    )
    .fetch_one(db)
    .await
}

/// Keeps no history any more, or again.
///
/// # Errors
/// Those of the statement.
pub async fn pause(db: impl PgExecutor<'_>, user: UserId, paused: bool) -> Result<(), sqlx::Error> {
    let statement = if paused {
        sqlx::query!(
            "insert into history_pauses (user_id) values ($1) on conflict do nothing",
            user.0
        )
        .execute(db)
        .await
    } else {
        sqlx::query!("delete from history_pauses where user_id = $1", user.0)
            .execute(db)
            .await
    };
    statement.map(drop)
}
