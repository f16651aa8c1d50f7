//! Which objects a row names. Everything else in our folders is garbage, once it is old enough.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Place, key::folders};

/// Those of `keys` that must stay: a row names them, or a pending upload may become a video of them. One statement, so
/// that an upload which becomes a video meanwhile is seen as one or the other.
///
/// A new column that names objects belongs in here.
///
/// # Errors
/// Those of the statement.
pub async fn named(
    db: impl PgExecutor<'_>,
    keys: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let (mut uploads, mut videos) = (HashSet::new(), HashSet::new());
    for place in keys.iter().filter_map(|key| Place::of(key)) {
        match place {
            Place::Source(upload) => uploads.insert(upload.0),
            Place::Made { video, .. } => videos.insert(video.0),
        };
    }
    let uploads: Vec<Uuid> = uploads.into_iter().collect();
    let videos: Vec<Uuid> = videos.into_iter().collect();
    // By the video in the key, whatever the generation: a row's key always carries its own video.
    let rows = sqlx::query_scalar!(
        r#"select k.key as "key!" from unnest($1::text[]) as k(key)
            where k.key in (
                  select key from segments where video_id = any($2)
                  union select init_key from segments where video_id = any($2)
                  union select init_key from video_qualities where video_id = any($2) and init_key is not null
                  union select thumbnail_key from videos where id = any($2) and thumbnail_key is not null
                  union select file_key from videos where id = any($2) and file_key is not null
                  union select unnest(sheets) from storyboards where video_id = any($2)
                  union select unnest(array[key, upload_key]) from video_thumbnails where video_id = any($2)
                  union select original_key from videos where original_key = any($1)
                  union select played ->> 'original_key' from videos where played ->> 'original_key' = any($1) and played is not null
                  union select key from uploads where id = any($3) and status = 'pending')"#,
        keys,
        &videos,
        &uploads,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().collect())
}

/// Those of `keys` that lie below a doomed prefix: a job is about to delete them.
///
/// # Errors
/// Those of the statement.
pub async fn below_doomed(
    db: impl PgExecutor<'_>,
    keys: &[String],
) -> Result<HashSet<String>, sqlx::Error> {
    let prefixes: HashSet<&str> = keys.iter().flat_map(|key| folders(key)).collect();
    let prefixes: Vec<String> = prefixes.into_iter().map(str::to_owned).collect();
    let doomed: HashSet<String> = sqlx::query_scalar!(
        "select prefix from doomed_objects where prefix = any($1)",
        &prefixes
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .collect();
    let below = keys
        .iter()
        .filter(|key| folders(key).any(|folder| doomed.contains(folder)));
    Ok(below.cloned().collect())
}

/// The prefixes that were doomed before `before` and are still there: their job failed for good, or was lost.
///
/// # Errors
/// Those of the statement.
pub async fn doomed(
    db: impl PgExecutor<'_>,
    before: DateTime<Utc>,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select prefix from doomed_objects where created_at <= $1 order by prefix",
        before
    )
    .fetch_all(db)
    .await
}

/// How many prefixes wait for their deletion.
///
/// # Errors
/// Those of the statement.
pub async fn doomed_count(db: impl PgExecutor<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"select count(*) as "count!" from doomed_objects"#)
        .fetch_one(db)
        .await
}
