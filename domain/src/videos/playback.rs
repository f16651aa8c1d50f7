//! What a player's requests need, several times a second: may it, and where does the object lie.

use sqlx::PgExecutor;

use super::Visibility;
use crate::ids::VideoId;

/// Who may watch, and what there is to watch now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    pub visibility: Visibility,
    pub generation: i32,
    pub playable: bool,
    pub poster_key: Option<String>,
    pub file_key: Option<String>,
}

impl Entitlement {
    /// That of a video; none if there is no such video.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(db: impl PgExecutor<'_>, id: VideoId) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select visibility as "visibility: _", playable_at is not null as "playable!",
                      coalesce((played ->> 'generation')::int, generation) as "generation!",
                      thumbnail_key as poster_key, case when played is null then file_key end as file_key
                 from videos where id = $1 and deleted_at is null"#,
            id.0,
        )
        .fetch_optional(db)
        .await
    }
}

/// Where segment `n` of a rendition lies; none if it is not there.
///
/// # Errors
/// Those of the statement.
pub async fn segment_key(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    rendition: &str,
    n: i32,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select key from segments where video_id = $1 and generation = $2 and rendition = $3 and n = $4",
        video.0,
        generation,
        rendition,
        n,
    )
    .fetch_optional(db)
    .await
}
