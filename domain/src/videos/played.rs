//! What plays while another source of a video is being processed.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::{Status, Video, doom};
use crate::ids::{UploadId, VideoId};

/// The generation that plays, and what the row said while it was the only one. The statement in [`replace`] writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Played {
    pub generation: i32,
    pub probe: Option<Value>,
    /// Seconds.
    pub duration: Option<f64>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub fps_num: Option<i32>,
    pub fps_den: Option<i32>,
    pub original_key: String,
}

/// Another source of a video, in the store.
#[derive(Debug, Clone)]
pub struct NewSourceFile {
    pub video: VideoId,
    pub upload: UploadId,
    pub key: String,
    pub etag: String,
    pub name: String,
    /// Bytes.
    pub size: i64,
}

impl Video {
    /// The video as players see it: of the generation that was ready last, while a newer one is being made or has
    /// failed.
    pub fn as_played(&self) -> Cow<'_, Self> {
        let Some(played) = &self.played else {
            return Cow::Borrowed(self);
        };
        let played = played.0.clone();
        Cow::Owned(Self {
            status: Status::Ready,
            generation: played.generation,
            probe: played.probe,
            duration: played.duration,
            width: played.width,
            height: played.height,
            fps_num: played.fps_num,
            fps_den: played.fps_den,
            stream: None,
            file_key: None,
            played: None,
            ..self.clone()
        })
    }
}

/// Begins another generation of a ready video from another source; what was ready goes on playing. `false` if it is not
/// ready. What an earlier replacement left that failed is doomed.
///
/// # Errors
/// Those of the statement.
pub async fn replace(conn: &mut PgConnection, new: &NewSourceFile) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set played = coalesce(played, jsonb_build_object(
                    'generation', generation, 'probe', probe, 'duration', duration, 'width', width, 'height', height,
                    'fps_num', fps_num, 'fps_den', fps_den, 'original_key', original_key,
                    'original_etag', original_etag, 'original_name', original_name,
                    'original_format', original_format, 'file_size', file_size)),
                status = 'processing', stage = 'queued', processing_progress = 0, error_code = null, error_message = null,
                generation = generation + 1, round = 1, stream = null, file_key = null, probe = null,
                upload_id = $2, original_key = $3, original_etag = $4, original_name = $5, file_size = $6,
                original_format = null
          where id = $1 and status = 'ready' and deleted_at is null",
        new.video.0,
        new.upload.0,
        new.key,
        new.etag,
        new.name,
        new.size,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The generation is ready: what played until now is dropped, its rows at once and its objects by a job, to whom the
/// answer names them. Empty if nothing else played.
///
/// # Errors
/// Those of the statements.
pub async fn switch(conn: &mut PgConnection, video: &Video) -> Result<Vec<String>, sqlx::Error> {
    let Some(Json(played)) = &video.played else {
        return Ok(Vec::new());
    };
    let (id, generation) = (video.id, video.generation);
    let mut gone: Vec<String> = sqlx::query_scalar!(
        r#"with board as (
               delete from storyboards where video_id = $1 and generation < $2 returning sheets
           ), picture as (
               delete from video_thumbnails t using videos v
                where v.id = $1 and t.video_id = $1 and t.generation < $2
                  and t.id is distinct from v.thumbnail_id and t.key is distinct from v.thumbnail_key
               returning t.key
           )
           select unnest(sheets) as "key!" from board union all select key from picture where key is not null"#,
        id.0,
        generation,
    )
    .fetch_all(&mut *conn)
    .await?;
    for statement in [
        "delete from segments where video_id = $1 and generation < $2",
        "delete from video_chunks where video_id = $1 and generation < $2",
        "delete from video_qualities where video_id = $1 and generation < $2",
        // Where people stopped watching says nothing about another film. Twice, since both are bound.
        "delete from video_retention where video_id = $1 and $2::int > 0",
        "update videos set played = null where id = $1 and generation = $2",
    ] {
        sqlx::query(statement)
            .bind(id.0)
            .bind(generation)
            .execute(&mut *conn)
            .await?;
    }
    gone.extend((played.generation..generation).map(|old| format!("hls/{id}/{old}/")));
    gone.extend(folder(&played.original_key));
    doom(conn, &gone).await?;
    Ok(gone)
}

/// A replacement failed: what played goes on playing, and the source that was of no use is dropped with all that was
/// made of it. The pictures stay, since one of them may be the poster.
///
/// # Errors
/// Those of the statements.
pub async fn drop_replacement(
    conn: &mut PgConnection,
    video: &Video,
) -> Result<Vec<String>, sqlx::Error> {
    let Some(Json(played)) = &video.played else {
        return Ok(Vec::new());
    };
    let (id, generation) = (video.id, video.generation);
    for statement in [
        "delete from segments where video_id = $1 and generation = $2",
        "delete from video_chunks where video_id = $1 and generation = $2",
        "delete from video_qualities where video_id = $1 and generation = $2",
        // The row names the source again that plays.
        "update videos set original_key = played ->> 'original_key', original_etag = played ->> 'original_etag',
                original_name = played ->> 'original_name', original_format = played ->> 'original_format',
                file_size = (played ->> 'file_size')::bigint
          where id = $1 and generation = $2",
    ] {
        sqlx::query(statement)
            .bind(id.0)
            .bind(generation)
            .execute(&mut *conn)
            .await?;
    }
    let mut gone = vec![format!("hls/{id}/{generation}/")];
    if video.original_key != played.original_key {
        gone.extend(folder(&video.original_key));
    }
    doom(conn, &gone).await?;
    Ok(gone)
}

/// Where a source lies.
pub(super) fn folder(key: &str) -> Option<String> {
    key.rsplit_once('/').map(|(folder, _)| format!("{folder}/"))
}
