//! Upload records and their states: pending, then completed, aborted or expired, and never back.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Method, Once, PartPlan};
use crate::ids::{UploadId, UserId, VideoId};

/// Where an upload stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadStatus {
    /// Bytes may arrive.
    Pending,
    /// It became a video.
    Completed,
    /// Its owner gave it up, or it was ended for a reason that has a code.
    Aborted,
    /// Nothing was heard of it for too long.
    Expired,
}

impl UploadStatus {
    /// The name in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
        }
    }

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
    /// Why it was aborted, if not by its owner.
    pub error_code: Option<String>,
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
    /// What the client knows the file by.
    pub fingerprint: Option<String>,
    /// How long a file of this fingerprint and size stays the same one.
    pub once: Once,
}

pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) user_id: Uuid,
    pub(super) filename: String,
    pub(super) size: i64,
    pub(super) content_type: String,
    pub(super) key: String,
    pub(super) s3_upload_id: Option<String>,
    pub(super) part_size: Option<i64>,
    pub(super) status: String,
    pub(super) error_code: Option<String>,
    pub(super) video_id: Option<Uuid>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// The columns of [`Upload`], in one place for all queries that read whole uploads.
macro_rules! upload_query {
    ($head:literal, $tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            $crate::uploads::record::Row,
            $head + " id, user_id, filename, size, content_type, key, s3_upload_id, part_size, status, error_code,
                      video_id, created_at, expires_at " + $tail
            $(, $arg)*
        )
    };
}
pub(super) use upload_query;

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
            error_code: row.error_code,
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

    /// The upload whose object lies at `key`; `None` for what [`NewUpload::key_of`] never made.
    pub fn id_of(key: &str) -> Option<UploadId> {
        let id = key.strip_prefix("raw/")?.strip_suffix("/source")?;
        (id.len() == 36).then(|| id.parse().ok()).flatten()
    }
}

impl Upload {
    /// The owner's upload; somebody else's is as absent as one that never was.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: UploadId,
        owner: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = upload_query!(
            "select",
            "from uploads where id = $1 and user_id = $2",
            id.0,
            owner.0,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The same, locked until the transaction ends, so that whatever ends it happens once: a completion, an abort and
    /// the sweep at the same moment come one after the other.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock(
        db: impl PgExecutor<'_>,
        id: UploadId,
        owner: UserId,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = upload_query!(
            "select",
            "from uploads where id = $1 and user_id = $2 for update",
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
        let rows = upload_query!(
            "select",
            "from uploads where user_id = $1 and status = 'pending' order by created_at desc, id desc limit $2",
            owner.0,
            limit,
        )
        .fetch_all(db)
        .await?;
        Ok(rows.into_iter().map(Self::from).collect())
    }

    /// The owner's upload of the same file, as far as `once` goes; one that became a video first.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find_same(
        db: impl PgExecutor<'_>,
        owner: UserId,
        fingerprint: &str,
        size: u64,
        once: Once,
    ) -> Result<Option<Self>, sqlx::Error> {
        let row = upload_query!(
            "select",
            "from uploads
              where user_id = $1 and fingerprint = $2 and size = $3
                and (status = 'pending'
                     or status = 'completed' and $4
                        and ($5 or exists (select from videos v where v.id = uploads.video_id)))
              order by status = 'completed' desc, created_at desc limit 1",
            owner.0,
            fingerprint,
            i64::try_from(size).unwrap_or(i64::MAX),
            once != Once::Pending,
            once == Once::Ever,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// An upload of which nothing was heard for too long, locked until the transaction ends; none that somebody else
    /// has locked, since that is a sign of life or its end.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn lock_abandoned(db: impl PgExecutor<'_>) -> Result<Option<Self>, sqlx::Error> {
        let row = upload_query!(
            "select",
            "from uploads where status = 'pending' and expires_at < now()
              order by expires_at limit 1 for update skip locked",
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(Self::from))
    }

    /// The store's ids of multipart uploads that the pending ones of `ids` wait for.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn multiparts_awaited(
        db: impl PgExecutor<'_>,
        ids: &[UploadId],
    ) -> Result<Vec<String>, sqlx::Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        sqlx::query_scalar!(
            r#"select s3_upload_id as "id!" from uploads
                where id = any($1) and status = 'pending' and s3_upload_id is not null"#,
            &ids,
        )
        .fetch_all(db)
        .await
    }

    /// How it is cut, if it is.
    pub fn parts(&self) -> Option<PartPlan> {
        self.part_size
            .map(|part_size| PartPlan::with_part_size(self.size, part_size))
    }

    /// The prefix of all that the store has of it.
    pub fn folder(&self) -> &str {
        self.key.trim_end_matches("source")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_upload_and_nothing_else_does() {
        let id = UploadId::new();
        assert_eq!(NewUpload::id_of(&NewUpload::key_of(id)), Some(id));
        for key in ["raw/x/source", "raw//source", "hls/a/source", "raw/source"] {
            assert_eq!(NewUpload::id_of(key), None, "{key}");
        }
        assert_eq!(NewUpload::id_of(&format!("raw/{id}/a/source")), None);
    }
}
