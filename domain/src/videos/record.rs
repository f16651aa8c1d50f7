//! The video's row and its changes.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor, types::Json};

use super::{Category, Played, Stage, Status, Stream, Visibility};
use crate::ids::{DecisionId, ThumbnailId, UploadId, UserId, VideoId};

/// A video with its owner's name.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    pub id: VideoId,
    pub user_id: UserId,
    pub username: String,
    pub upload_id: Option<UploadId>,
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
    pub status: Status,
    pub stage: Stage,
    /// Percent.
    pub progress: i16,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub generation: i32,
    /// Counts the tries of this generation.
    pub round: i16,
    pub original_key: String,
    pub original_etag: String,
    pub original_name: String,
    pub original_format: Option<String>,
    /// Bytes.
    pub file_size: i64,
    /// Seconds.
    pub duration: Option<f64>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub fps_num: Option<i32>,
    pub fps_den: Option<i32>,
    pub frame_count: Option<i64>,
    pub segment_frames: Option<i32>,
    pub has_video: Option<bool>,
    pub has_audio: Option<bool>,
    /// What probe wrote down: the plan's input.
    pub probe: Option<Value>,
    pub playable_at: Option<DateTime<Utc>>,
    /// Which playlist plays while it is being made; none before it can.
    pub stream: Option<Stream>,
    /// The copy of a small source.
    pub file_key: Option<String>,
    pub thumbnail_key: Option<String>,
    /// The picture that its owner chose.
    pub thumbnail_id: Option<ThumbnailId>,
    pub tags: Vec<String>,
    pub category: Option<Category>,
    pub views: i64,
    pub likes: i64,
    pub published_at: Option<DateTime<Utc>>,
    /// When it becomes public by itself.
    pub publish_at: Option<DateTime<Utc>>,
    /// The decision of staff that hides it: it is private, and its owner cannot change that.
    pub hidden_by: Option<DecisionId>,
    /// In the trash since.
    pub deleted_at: Option<DateTime<Utc>>,
    /// What plays instead, while another source is being processed.
    pub played: Option<Json<Played>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A video as an upload makes it.
#[derive(Debug, Clone)]
pub struct NewVideo {
    pub id: VideoId,
    pub user_id: UserId,
    pub upload_id: UploadId,
    pub title: String,
    pub description: String,
    pub visibility: Visibility,
    pub original_key: String,
    /// Pins the object: every later read of it asks for this ETag.
    pub original_etag: String,
    pub original_name: String,
    pub file_size: i64,
}

/// What its owner changes; `None` leaves it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub title: Option<String>,
    pub description: Option<String>,
    pub visibility: Option<Visibility>,
    /// As [`super::tags`] makes them.
    pub tags: Option<Vec<String>>,
    /// `Some(None)`: none.
    pub category: Option<Option<Category>>,
}

/// The columns of [`Video`], in one place for all queries that read whole videos.
macro_rules! select_video {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Video,
            r#"select v.id as "id: _", v.user_id as "user_id: _", u.username::text as "username!",
                      v.upload_id as "upload_id: _", v.title, v.description, v.visibility as "visibility: _",
                      v.status as "status: _", v.stage as "stage: _", v.processing_progress as progress,
                      v.error_code, v.error_message, v.generation, v.round, v.original_key, v.original_etag,
                      v.original_name, v.original_format, v.file_size, v.duration, v.width, v.height, v.fps_num, v.fps_den,
                      v.frame_count, v.segment_frames, v.has_video, v.has_audio, v.probe, v.playable_at,
                      v.stream as "stream: _", v.file_key, v.thumbnail_key,
                      v.thumbnail_id as "thumbnail_id: _", v.tags, v.category as "category: _", v.views, v.likes, v.published_at,
                      v.publish_at, v.hidden_by as "hidden_by: _", v.deleted_at, v.played as "played: _", v.created_at, v.updated_at
                 from videos v join users u on u.id = v.user_id "# + $tail
            $(, $arg)*
        )
    };
}
pub(super) use select_video;

impl Video {
    /// The video, whoever asks.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: VideoId) -> Result<Option<Self>, sqlx::Error> {
        select_video!("where v.id = $1", id.0)
            .fetch_optional(db)
            .await
    }

    /// The video of its owner, unless it is in the trash.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_owner(
        db: impl PgExecutor<'_>,
        id: VideoId,
        owner: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        select_video!(
            "where v.id = $1 and v.user_id = $2 and v.deleted_at is null",
            id.0,
            owner.0
        )
        .fetch_optional(db)
        .await
    }

    /// Those of `ids` that exist and are not in the trash, in no order.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find_all(
        db: impl PgExecutor<'_>,
        ids: &[VideoId],
    ) -> Result<Vec<Self>, sqlx::Error> {
        let ids: Vec<uuid::Uuid> = ids.iter().map(|id| id.0).collect();
        select_video!("where v.id = any($1) and v.deleted_at is null", &ids)
            .fetch_all(db)
            .await
    }

    /// The video that an upload became.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_upload(
        db: impl PgExecutor<'_>,
        upload: UploadId,
    ) -> Result<Option<Self>, sqlx::Error> {
        select_video!("where v.upload_id = $1", upload.0)
            .fetch_optional(db)
            .await
    }

    /// A person's videos that are being made, newest first, at most 100.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn processing_of(
        db: impl PgExecutor<'_>,
        user: UserId,
    ) -> Result<Vec<Self>, sqlx::Error> {
        select_video!(
            "where v.user_id = $1 and v.status = 'processing' order by v.created_at desc limit 100",
            user.0
        )
        .fetch_all(db)
        .await
    }

    /// The video, locked until the transaction ends. What changes its state begins with this.
    ///
    /// Not `for update`: two transactions that inserted rows which refer to the video would wait for each other.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock(conn: &mut PgConnection, id: VideoId) -> Result<Option<Self>, sqlx::Error> {
        select_video!("where v.id = $1 for no key update of v", id.0)
            .fetch_optional(conn)
            .await
    }

    /// Inserts a video; `false` if the upload became one already.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn insert(db: impl PgExecutor<'_>, new: &NewVideo) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "insert into videos (id, user_id, upload_id, title, description, visibility, original_key,
                                 original_etag, original_name, file_size)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (upload_id) do nothing",
            new.id.0,
            new.user_id.0,
            new.upload_id.0,
            new.title,
            new.description,
            new.visibility.word(),
            new.original_key,
            new.original_etag,
            new.original_name,
            new.file_size,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Applies what the owner changed; `false` if the video is not theirs. One that staff hide stays private.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn change(
        db: impl PgExecutor<'_>,
        id: VideoId,
        owner: UserId,
        changes: &Changes,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update videos set title = coalesce($3, title), description = coalesce($4, description),
                    visibility = case when hidden_by is null then coalesce($5, visibility) else visibility end, tags = coalesce($6, tags),
                    category = case when $7 then $8 else category end,
                    publish_at = case when coalesce($5, 'private') = 'private' then publish_at end
              where id = $1 and user_id = $2 and deleted_at is null",
            id.0,
            owner.0,
            changes.title,
            changes.description,
            changes.visibility.map(Visibility::word),
            changes.tags.as_deref(),
            changes.category.is_some(),
            changes.category.flatten().map(Category::word),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Moves a processing video of this generation forward to `stage`, never back.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn advance(
        db: impl PgExecutor<'_>,
        id: VideoId,
        generation: i32,
        stage: Stage,
    ) -> Result<bool, sqlx::Error> {
        const ORDER: [&str; 6] = [
            "queued",
            "probing",
            "encoding",
            "packaging",
            "publishing",
            "done",
        ];
        let order: Vec<String> = ORDER.map(str::to_owned).to_vec();
        let done = sqlx::query!(
            "update videos set stage = $3
              where id = $1 and generation = $2 and status = 'processing'
                and array_position($4::text[], stage) < array_position($4::text[], $3)",
            id.0,
            generation,
            stage.word(),
            &order,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends a round that cannot be finished; `false` if it had ended already. A video that plays from an earlier source
    /// stays ready, and says what went wrong with the new one.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn fail(
        db: impl PgExecutor<'_>,
        id: VideoId,
        generation: i32,
        round: i16,
        code: &str,
        message: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update videos set status = case when played is null then 'failed' else 'ready' end,
                    stage = case when played is null then stage else 'done' end, error_code = $4, error_message = $5
              where id = $1 and generation = $2 and round = $3 and status = 'processing'",
            id.0,
            generation,
            round,
            code,
            message,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Every rendition of the generation is there: the video is ready. `false` if it is not processing any more.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn publish(
        db: impl PgExecutor<'_>,
        id: VideoId,
        generation: i32,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update videos set status = 'ready', stage = 'done', processing_progress = 100,
                    error_code = null, error_message = null,
                    playable_at = coalesce(playable_at, now()), published_at = coalesce(published_at, now())
              where id = $1 and generation = $2 and status = 'processing'",
            id.0,
            generation,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Stores the poster's key unless the generation is over, or its owner chose another picture.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_poster(
        db: impl PgExecutor<'_>,
        id: VideoId,
        generation: i32,
        key: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update videos set thumbnail_key = $3 where id = $1 and generation = $2 and thumbnail_id is null",
            id.0,
            generation,
            key,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
