//! What changes an upload's row: it begins, gives signs of life, and ends once.

use std::time::Duration;

use sqlx::PgExecutor;

use super::{Method, NewUpload, Upload, UploadStatus, record::upload_query};
use crate::ids::{UploadId, VideoId};

impl Upload {
    /// Stores a new pending upload, whatever is stored already. [`reserve`](super::reserve) is how one is begun.
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
        let row = upload_query!(
            "insert into uploads (id, user_id, filename, size, content_type, method, key, s3_upload_id, part_size,
                                  expires_at, fingerprint)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now() + make_interval(secs => $10), $11) returning",
            "",
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
            new.fingerprint,
        )
        .fetch_one(db)
        .await?;
        Ok(row.into())
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

    /// Ends it without a video: aborted (`why` is a code, if not its owner's wish) or expired. What it reserved is free
    /// with that. False if it was no longer pending.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn give_up(
        db: impl PgExecutor<'_>,
        id: UploadId,
        status: UploadStatus,
        why: Option<&str>,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update uploads set status = $2, error_code = $3 where id = $1 and status = 'pending'",
            id.0,
            status.as_str(),
            why,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
