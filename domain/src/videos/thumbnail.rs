//! Pictures that may stand for a video: some that the pipeline found, some that its owner uploaded.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use super::ThumbnailStatus;
use crate::ids::{ThumbnailId, UserId, VideoId};

/// Pictures of their own that people may keep with a video.
const MOST_CUSTOM: i64 = 10;
/// Bytes of a picture.
pub const MOST_BYTES: u64 = 8 * 1024 * 1024;

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    pub id: ThumbnailId,
    pub video: VideoId,
    /// That of the source it was found in; none for its owner's.
    pub generation: Option<i32>,
    pub upload_key: Option<String>,
    pub key: Option<String>,
    pub status: ThumbnailStatus,
    pub error_code: Option<String>,
    pub created_at: DateTime<Utc>,
    /// Whether it stands for the video, as of the same snapshot.
    pub chosen: bool,
}

impl Thumbnail {
    /// The pictures of a video, the found ones first. Those of a source that is being replaced go with it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_video(
        db: impl PgExecutor<'_>,
        video: VideoId,
    ) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select t.id as "id: _", t.video_id as "video: _", t.generation, t.upload_key, t.key, t.status as "status: _",
                      t.error_code, t.created_at, coalesce(t.key = v.thumbnail_key, false) as "chosen!"
                 from video_thumbnails t join videos v on v.id = t.video_id where t.video_id = $1
                order by t.generation is null, t.created_at, t.id"#,
            video.0,
        )
        .fetch_all(db)
        .await
    }

    /// One of them, whoever asks.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: ThumbnailId,
    ) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select t.id as "id: _", t.video_id as "video: _", t.generation, t.upload_key, t.key, t.status as "status: _",
                      t.error_code, t.created_at, coalesce(t.key = v.thumbnail_key, false) as "chosen!"
                 from video_thumbnails t join videos v on v.id = t.video_id where t.id = $1"#,
            id.0,
        )
        .fetch_optional(db)
        .await
    }

    /// Where what was uploaded lies. Generation 0 is nobody's: what lies there goes with the video alone.
    pub fn upload_key(video: VideoId, id: ThumbnailId) -> String {
        format!("images/{video}/0/upload-{id}")
    }

    /// Notes a picture that the pipeline found. Safe twice under the same id.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn found(
        db: impl PgExecutor<'_>,
        id: ThumbnailId,
        video: VideoId,
        generation: i32,
        key: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "insert into video_thumbnails (id, video_id, generation, key)
             select $1, $2, $3, $4 from videos where id = $2 on conflict do nothing",
            id.0,
            video.0,
            generation,
            key,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Makes room for a picture of the owner's; `None` if the video is not theirs or has as many as it may.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn begin(
        conn: &mut PgConnection,
        video: VideoId,
        owner: UserId,
    ) -> Result<Begun, sqlx::Error> {
        // The video's row puts two beginnings in order, so that both count.
        let theirs = sqlx::query_scalar!(
            "select id from videos where id = $1 and user_id = $2 for no key update",
            video.0,
            owner.0,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if theirs.is_none() {
            return Ok(Begun::NotFound);
        }
        let id = ThumbnailId::new();
        let key = Self::upload_key(video, id);
        let done = sqlx::query!(
            "insert into video_thumbnails (id, video_id, upload_key, status)
             select $1, $2, $3, 'uploading'
              where (select count(*) from video_thumbnails where video_id = $2 and generation is null) < $4",
            id.0,
            video.0,
            key,
            MOST_CUSTOM,
        )
        .execute(conn)
        .await?;
        Ok(if done.rows_affected() == 1 {
            Begun::Room(id, key)
        } else {
            Begun::TooMany
        })
    }

    /// Its bytes are there: a job is to look at them. `false` if they were already, or it is gone.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn arrived(db: impl PgExecutor<'_>, id: ThumbnailId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update video_thumbnails set status = 'processing' where id = $1 and status = 'uploading'",
            id.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// It was made anew. `false` if it is gone meanwhile.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn made(
        db: impl PgExecutor<'_>,
        id: ThumbnailId,
        key: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update video_thumbnails set status = 'ready', key = $2, upload_key = null
              where id = $1 and status = 'processing'",
            id.0,
            key,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// It was no picture.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn refused(
        db: impl PgExecutor<'_>,
        id: ThumbnailId,
        code: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update video_thumbnails set status = 'failed', error_code = $2, upload_key = null
              where id = $1 and status = 'processing'",
            id.0,
            code,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Makes it stand for its video; `false` if it is not the owner's, or not ready.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn choose(
        db: impl PgExecutor<'_>,
        video: VideoId,
        owner: UserId,
        id: ThumbnailId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update videos v set thumbnail_id = t.id, thumbnail_key = t.key from video_thumbnails t
              where v.id = $1 and v.user_id = $2 and t.id = $3 and t.video_id = v.id and t.key is not null",
            video.0,
            owner.0,
            id.0,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a picture of the owner's and says what it leaves in the store. `None` if there is no such, or if it
    /// stands for the video now.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn delete(
        db: impl PgExecutor<'_>,
        video: VideoId,
        owner: UserId,
        id: ThumbnailId,
    ) -> Result<Option<Vec<String>>, sqlx::Error> {
        let row = sqlx::query!(
            "delete from video_thumbnails t using videos v
              where t.id = $3 and t.video_id = $1 and t.generation is null and v.id = $1 and v.user_id = $2
                and v.thumbnail_id is distinct from t.id
              returning t.key, t.upload_key",
            video.0,
            owner.0,
            id.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| row.key.into_iter().chain(row.upload_key).collect()))
    }
}

/// What became of a wish for a picture of one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Its bytes belong under this key.
    Room(ThumbnailId, String),
    /// The video has as many as it may.
    TooMany,
    /// There is no such video of theirs.
    NotFound,
}
