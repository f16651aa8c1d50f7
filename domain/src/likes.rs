//! Likes of videos. `videos.likes` is counted by the table itself (`0017_likes_and_views.sql`), so it cannot drift.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    ids::{UserId, VideoId},
    keyset::{Page, Wanted},
};

/// Likes a video; twice is once.
///
/// # Errors
/// Those of the statement.
pub async fn like(
    db: impl PgExecutor<'_>,
    video: VideoId,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into video_likes (video_id, user_id) values ($1, $2) on conflict do nothing",
        video.0,
        user.0,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Likes it no more.
///
/// # Errors
/// Those of the statement.
pub async fn unlike(
    db: impl PgExecutor<'_>,
    video: VideoId,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from video_likes where video_id = $1 and user_id = $2",
        video.0,
        user.0
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The videos that somebody likes and may still watch, the latest like first.
///
/// # Errors
/// Those of the statement.
pub async fn liked(
    db: impl PgExecutor<'_>,
    user: UserId,
    wanted: &Wanted,
) -> Result<Page<VideoId>, sqlx::Error> {
    let after: Option<(DateTime<Utc>, Uuid)> = wanted.place();
    let rows = sqlx::query!(
        "select l.video_id, l.created_at
           from video_likes l join videos v on v.id = l.video_id
          where l.user_id = $1 and v.deleted_at is null and (v.visibility <> 'private' or v.user_id = $1)
            and ($2::timestamptz is null or (l.created_at, l.video_id) < ($2, $3::uuid))
          order by l.created_at desc, l.video_id desc limit $4",
        user.0,
        after.map(|place| place.0),
        after.map(|place| place.1),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    let page = wanted.page(rows, |row| (row.created_at, row.video_id));
    Ok(page.map(|row| VideoId(row.video_id)))
}
