//! Copies of sources that need no encoding: a file, or the rendition `source`, the picture in segments of its own. They
//! are watched while the ladder is made, never listed beside it, and dropped some time after it is there.

use std::time::Duration;

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::doom;
use crate::ids::VideoId;

/// The name of the copied picture's rendition.
pub const SOURCE: &str = "source";

/// The copied picture, before its first segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSource {
    pub video: VideoId,
    pub generation: i32,
    pub width: i32,
    pub height: i32,
    /// Bits a second at the peak, as its packets promise.
    pub max_bitrate: i32,
    /// Whole seconds.
    pub target_duration: i32,
}

/// The copied picture as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub width: i32,
    pub height: i32,
    /// Bits a second at the peak.
    pub max_bitrate: i32,
    /// None before the first segment.
    pub codecs: Option<String>,
    /// Whole seconds.
    pub target_duration: i32,
    /// No segment will follow.
    pub complete: bool,
}

/// Keeps what was found out about the fast path with the rest of the probe, for people.
///
/// # Errors
/// Those of the statement.
pub async fn note_fast(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    fast: &Value,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update videos set probe = jsonb_set(probe, '{fast}', $3) where id = $1 and generation = $2",
        video.0,
        generation,
        fast,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The copy of a small source is in the store: the video can be watched. `false` if it is not being made any more.
///
/// # Errors
/// Those of the statement.
pub async fn set_file(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    key: &str,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set file_key = $3, playable_at = coalesce(playable_at, now())
          where id = $1 and generation = $2 and status = 'processing'",
        video.0,
        generation,
        key,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes room for the segments of a copied picture. Safe twice: what is there stays.
///
/// # Errors
/// Those of the statement.
pub async fn begin_source(db: impl PgExecutor<'_>, new: &NewSource) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into video_qualities (video_id, generation, rendition, kind, width, height, max_bitrate, target_duration)
         values ($1, $2, 'source', 'video', $3, $4, $5, $6)
         on conflict (video_id, generation, rendition) do nothing",
        new.video.0,
        new.generation,
        new.width,
        new.height,
        new.max_bitrate,
        new.target_duration,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The copied picture of a generation, if there is one.
///
/// # Errors
/// Those of the statement.
pub async fn source(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
) -> Result<Option<Source>, sqlx::Error> {
    sqlx::query_as!(
        Source,
        r#"select coalesce(width, 0) as "width!", coalesce(height, 0) as "height!", max_bitrate, codecs,
                  coalesce(target_duration, 4) as "target_duration!", status = 'ready' as "complete!"
             from video_qualities where video_id = $1 and generation = $2 and rendition = 'source'"#,
        video.0,
        generation,
    )
    .fetch_optional(db)
    .await
}

/// Drops the copies of a generation: the rows now, the objects by a job, to whom the answer names them. What plays is
/// the ladder again, or nothing.
///
/// # Errors
/// Those of the statements.
pub async fn drop_copies(
    conn: &mut PgConnection,
    video: VideoId,
    generation: i32,
) -> Result<Vec<String>, sqlx::Error> {
    let dropped = sqlx::query!(
        "update videos v set file_key = null,
                stream = case when v.stream = 'remux' then case when ladder.plays then 'event' end else v.stream end,
                playable_at = case when v.status <> 'processing' or v.stream = 'event' or ladder.plays then v.playable_at end
           from (select not exists (select from video_qualities where video_id = $1 and generation = $2
                                       and rendition <> 'source' and init_key is null) as plays) ladder
          where v.id = $1 and v.generation = $2 returning v.id",
        video.0,
        generation,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if dropped.is_none() {
        return Ok(Vec::new());
    }
    for statement in [
        "delete from segments where video_id = $1 and generation = $2 and rendition = 'source'",
        "delete from video_qualities where video_id = $1 and generation = $2 and rendition = 'source'",
    ] {
        sqlx::query(statement)
            .bind(video.0)
            .bind(generation)
            .execute(&mut *conn)
            .await?;
    }
    let folders = ["file", SOURCE].map(|name| format!("hls/{video}/{generation}/{name}/"));
    doom(&mut *conn, &folders).await?;
    Ok(folders.to_vec())
}

/// Videos that have been ready for `age` and have copies still, the oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn with_old_copies(
    db: impl PgExecutor<'_>,
    age: Duration,
    limit: i64,
) -> Result<Vec<VideoId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select v.id as "id: VideoId" from videos v
            where v.status = 'ready' and v.published_at < now() - make_interval(secs => $1)
              and v.id in (select id from videos where file_key is not null
                           union all
                           select q.video_id from video_qualities q
                            where q.rendition = 'source' and q.generation = v.generation)
            order by v.published_at limit $2"#,
        age.as_secs_f64(),
        limit,
    )
    .fetch_all(db)
    .await
}
