//! The trash, and publishing at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::ids::{UserId, VideoId};

/// How long a video that was deleted can be brought back.
pub const KEPT_IN_TRASH: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Puts a video into the trash; `false` if it is there or not theirs. It is not published by itself any more.
///
/// # Errors
/// Those of the statement.
pub async fn trash(
    db: impl PgExecutor<'_>,
    id: VideoId,
    owner: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set deleted_at = now(), publish_at = null where id = $1 and user_id = $2 and deleted_at is null",
        id.0,
        owner.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes a video out of the trash; `false` if it is not there.
///
/// # Errors
/// Those of the statement.
pub async fn restore(
    db: impl PgExecutor<'_>,
    id: VideoId,
    owner: UserId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set deleted_at = null where id = $1 and user_id = $2 and deleted_at is not null",
        id.0,
        owner.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Videos that have been in the trash for as long as they may, the oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn past_trash(
    db: impl PgExecutor<'_>,
    kept: Duration,
    limit: i64,
) -> Result<Vec<(VideoId, UserId)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select id as "id: VideoId", user_id as "owner: UserId" from videos
            where deleted_at < now() - make_interval(secs => $1) order by deleted_at limit $2"#,
        kept.as_secs_f64(),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.owner)).collect())
}

/// Makes a video private until `at`, or without a time, private without an end in sight. `false` if there is no such
/// of theirs.
///
/// # Errors
/// Those of the statement.
pub async fn set_schedule(
    db: impl PgExecutor<'_>,
    id: VideoId,
    owner: UserId,
    at: Option<DateTime<Utc>>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set publish_at = $3, visibility = case when $3::timestamptz is null then visibility else 'private' end
          where id = $1 and user_id = $2 and deleted_at is null and hidden_by is null",
        id.0,
        owner.0,
        at,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Makes a video public whose time has come; `None` if it is not to be published at this time (any more).
///
/// # Errors
/// Those of the statement.
pub async fn publish_scheduled(
    db: impl PgExecutor<'_>,
    id: VideoId,
    at: DateTime<Utc>,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"update videos set visibility = 'public', publish_at = null
            where id = $1 and publish_at = $2 and deleted_at is null and hidden_by is null returning user_id as "owner: UserId""#,
        id.0,
        at,
    )
    .fetch_optional(db)
    .await
}
