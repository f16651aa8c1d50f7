//! Tracks of videos.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::ids::{UserId, VideoId};

/// Tracks of one video.
pub const MOST_TRACKS: i64 = 50;

/// A track without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionTrack {
    pub language: String,
    /// Empty: the language's own name.
    pub label: String,
    pub cues: i32,
    pub is_default: bool,
    pub updated_at: DateTime<Utc>,
}

/// A track as its owner uploads it.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    pub language: &'a str,
    /// `None` leaves what it was called.
    pub label: Option<&'a str>,
    /// WebVTT of ours.
    pub body: &'a str,
    pub cues: i32,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    Done,
    /// The video has [`MOST_TRACKS`].
    TooMany,
    /// There is no such video of theirs.
    NotFound,
}

/// The tracks of a video: the default first, then by language.
///
/// # Errors
/// Those of the statement.
pub async fn tracks(
    db: impl PgExecutor<'_>,
    video: VideoId,
) -> Result<Vec<CaptionTrack>, sqlx::Error> {
    sqlx::query_as!(
        CaptionTrack,
        "select language, label, cues, is_default, updated_at from captions where video_id = $1
          order by is_default desc, language",
        video.0,
    )
    .fetch_all(db)
    .await
}

/// The text of a track.
///
/// # Errors
/// Those of the statement.
pub async fn caption_text(
    db: impl PgExecutor<'_>,
    video: VideoId,
    language: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select body from captions where video_id = $1 and language = $2",
        video.0,
        language,
    )
    .fetch_optional(db)
    .await
}

/// Puts a track in place of that of the same language, if there is one. The first of a video is its default.
///
/// # Errors
/// Those of the statements.
pub async fn put(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
    track: Track<'_>,
) -> Result<Put, sqlx::Error> {
    // The video's row puts two uploads in order: both count the others.
    let theirs = sqlx::query_scalar!(
        "select id from videos where id = $1 and user_id = $2 for no key update",
        video.0,
        owner.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if theirs.is_none() {
        return Ok(Put::NotFound);
    }
    let done = sqlx::query!(
        "insert into captions (video_id, language, label, body, cues, is_default)
         select $1, $2, coalesce($3, ''), $4, $5, count(*) = 0 from captions where video_id = $1
         having count(*) filter (where language <> $2) < $6
         on conflict (video_id, language) do update
            set label = coalesce($3, captions.label), body = excluded.body, cues = excluded.cues",
        video.0,
        track.language,
        track.label,
        track.body,
        track.cues,
        MOST_TRACKS,
    )
    .execute(conn)
    .await?;
    Ok(if done.rows_affected() == 1 {
        Put::Done
    } else {
        Put::TooMany
    })
}

/// Renames a track, or makes it the default or not; `false` if there is no such of theirs.
///
/// # Errors
/// Those of the statements.
pub async fn change(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
    language: &str,
    label: Option<&str>,
    is_default: Option<bool>,
) -> Result<bool, sqlx::Error> {
    if is_default == Some(true) {
        // Before the other becomes it: there is room for one.
        sqlx::query!(
            "update captions c set is_default = false from videos v
              where c.video_id = $1 and v.id = $1 and v.user_id = $2 and c.is_default and c.language <> $3",
            video.0,
            owner.0,
            language,
        )
        .execute(&mut *conn)
        .await?;
    }
    let done = sqlx::query!(
        "update captions c set label = coalesce($4, c.label), is_default = coalesce($5, c.is_default) from videos v
          where c.video_id = $1 and v.id = $1 and v.user_id = $2 and c.language = $3",
        video.0,
        owner.0,
        language,
        label,
        is_default,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a track; `false` if there is no such of theirs.
///
/// # Errors
/// Those of the statement.
pub async fn delete(
    db: impl PgExecutor<'_>,
    video: VideoId,
    owner: UserId,
    language: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "delete from captions c using videos v
          where c.video_id = $1 and v.id = $1 and v.user_id = $2 and c.language = $3",
        video.0,
        owner.0,
        language,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
