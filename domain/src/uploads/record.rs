//! Upload records and their states: pending, then completed, aborted or expired, and never back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Method, PartPlan};
use crate::ids::{UploadId, UserId, VideoId};

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// Bytes may arrive.
    Pending,
    /// It became a video.
    Completed,
    /// Its owner gave it up.
    Aborted,
    /// Nothing was heard of it for too long.
    Expired,
}

impl UploadStatus {
    fn from_column(name: &str) -> Self {
        match name {
            "completed" => Self::Completed,
            "aborted" => Self::Aborted,
            "expired" => Self::Expired,
            _ => Self::Pending,
        }
    }
}

/// A file on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    pub id: UploadId,
    pub user: UserId,
    pub filename: String,
    /// Bytes, as declared; the object must have as many.
    pub size: u64,
    pub content_type: String,
    pub method: Method,
    pub key: String,
    pub s3_upload_id: Option<String>,
    pub part_size: Option<u64>,
    pub status: UploadStatus,
    pub video: Option<VideoId>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What initiating an upload stores.
#[derive(Debug, Clone)]
pub struct NewUpload {
    pub id: UploadId,
    pub user: UserId,
    pub filename: String,
    pub size: u64,
    pub content_type: String,
    pub key: String,
    /// The store's id of a multipart upload, and its part size.
    pub multipart: Option<(String, u64)>,
    /// How long without a sign of life until it is swept.
    pub abandon_after: Duration,
}

struct Row {
    id: Uuid,
    user_id: Uuid,
    filename: String,
    size: i64,
    content_type: String,
    key: String,
    s3_upload_id: Option<String>,
    part_size: Option<i64>,
    status: String,
    video_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

impl From<Row> for Upload {
    fn from(row: Row) -> Self {
        Self {
            id: UploadId(row.id),
            user: UserId(row.user_id),
            filename: row.filename,
            size: row.size.unsigned_abs(),
            content_type: row.content_type,
            method: if row.s3_upload_id.is_some() {
                Method::Multipart
            } else {
                Method::Single
            },
            key: row.key,
            s3_upload_id: row.s3_upload_id,
            part_size: row.part_size.map(i64::unsigned_abs),
            status: UploadStatus::from_column(&row.status),
            video: row.video_id.map(VideoId),
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

impl NewUpload {
    /// Where an upload's object lies. Made by the server alone: names that people give never become keys.
    pub fn key_of(id: UploadId) -> String {
        format!("raw/{id}/source")
    }
}

impl Upload {
    /// Stores a new pending upload.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn create(db: impl PgExecutor<'_>, new: NewUpload) -> Result<Self, sqlx::Error> {
        let method = if new.multipart.is_some() {
            Method::Multipart
        } else {
            Method::Single
        };
        let (s3_upload_id, part_size) = new.multipart.unzip();
        let row = sqlx::query_as!(
            Row,
            "insert into uploads (id, user_id, filename, size, content_type, method, key, s3_upload_id, part_size, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10))
             returning id, user_id, filename, size, content_type, key, s3_upload_id, part_size, status, video_id,
                       created_at, expires_at",
            new.id.0,
            new.user.0,
            new.filename,
            i64::try_from(new.size).unwrap_or(i64::MAX),
            new.content_type,
            method.as_str(),
            new.key,
            s3_upload_id,
            part_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            new.abandon_after.as_secs_f64(),
        )
        .fetch_one(db)
        .await?;
        Ok(row.into())
    }

    /// The owner's upload; somebody else's is as absent as one that never was.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: UploadId,
        owner: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_as!(
            Row,
            "select id, user_id, filename, size, content_type, key, s3_upload_id, part_size, status, video_id,
                    created_at, expires_at
               from uploads where id = $1 and user_id = $2",
            id.0,
            owner.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The same, locked until the transaction ends, so that two completions come one after the other.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock(
        db: impl PgExecutor<'_>,
        id: UploadId,
        owner: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query_as!(
            Row,
            "select id, user_id, filename, size, content_type, key, s3_upload_id, part_size, status, video_id,
                    created_at, expires_at
               from uploads where id = $1 and user_id = $2 for update",
            id.0,
            owner.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The owner's pending uploads, newest first, at most `limit`.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn pending(
        db: impl PgExecutor<'_>,
        owner: UserId,
        limit: i64,
    ) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query_as!(
            Row,
            "select id, user_id, filename, size, content_type, key, s3_upload_id, part_size, status, video_id,
                    created_at, expires_at
               from uploads where user_id = $1 and status = 'pending' order by created_at desc, id desc limit $2",
            owner.0,
            limit,
        )
        .fetch_all(db)
        .await?;
        Ok(rows.into_iter().map(Self::from).collect())
    }

    /// Notes a sign of life: the sweep waits `abandon_after` from now. False if it is not pending.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn keep(
        db: impl PgExecutor<'_>,
        id: UploadId,
        abandon_after: Duration,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update uploads set expires_at = now() + make_interval(secs => $2) where id = $1 and status = 'pending'",
            id.0,
            abandon_after.as_secs_f64(),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Says that it became `video`; false if it was no longer pending.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn complete(
        db: impl PgExecutor<'_>,
        id: UploadId,
        video: VideoId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update uploads set status = 'completed', video_id = $2 where id = $1 and status = 'pending'",
            id.0,
            video.0,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives it up; false if it was no longer pending.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn abort(db: impl PgExecutor<'_>, id: UploadId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update uploads set status = 'aborted' where id = $1 and status = 'pending'",
            id.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How it is cut, if it is.
    pub fn parts(&self) -> Option<PartPlan> {
        self.part_size
            .map(|part_size| PartPlan::with_part_size(self.size, part_size))
    }
}
