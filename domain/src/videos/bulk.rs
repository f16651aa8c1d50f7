//! Changes of many of one's own videos at once.

use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{Category, Changes, MOST_TAGS, Video, Visibility};
use crate::ids::{UserId, VideoId};

/// What is to be done to each of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BulkChange {
    pub visibility: Option<Visibility>,
    pub category: Option<Category>,
    /// As [`super::tags`] makes them.
    pub add_tags: Vec<String>,
    pub remove_tags: Vec<String>,
    /// Into the trash.
    pub delete: bool,
    /// Out of it.
    pub restore: bool,
}

impl BulkChange {
    /// What that means for one of them.
    pub fn of(&self, video: &Video) -> Changes {
        let touched = !self.add_tags.is_empty() || !self.remove_tags.is_empty();
        let tags = touched.then(|| {
            let kept = video.tags.iter().chain(&self.add_tags);
            let mut tags: Vec<String> = Vec::new();
            for tag in kept.filter(|tag| !self.remove_tags.contains(tag)) {
                if !tags.contains(tag) && tags.len() < MOST_TAGS {
                    tags.push(tag.clone());
                }
            }
            tags
        });
        Changes {
            visibility: self.visibility,
            category: self.category.map(Some),
            tags,
            ..Changes::default()
        }
    }
}

/// How far such a change is.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkEdit {
    pub id: Uuid,
    pub owner: UserId,
    pub videos: Vec<VideoId>,
    pub change: BulkChange,
    pub done: i32,
    pub skipped: i32,
    pub finished: bool,
}

impl BulkEdit {
    /// Writes it down, to be begun.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn insert(&self, db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        let videos: Vec<Uuid> = self.videos.iter().map(|id| id.0).collect();
        sqlx::query!(
            "insert into bulk_edits (id, user_id, videos, change) values ($1, $2, $3, $4)",
            self.id,
            self.owner.0,
            &videos,
            Json(&self.change) as _,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// As it is now.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: Uuid) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            r#"select user_id as "owner: UserId", videos as "videos: Vec<VideoId>", change as "change: Json<BulkChange>",
                      done, skipped, finished_at is not null as "finished!"
                 from bulk_edits where id = $1"#,
            id,
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Self {
            id,
            owner: row.owner,
            videos: row.videos,
            change: row.change.0,
            done: row.done,
            skipped: row.skipped,
            finished: row.finished,
        }))
    }

    /// One more is done, or was not there.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn step(db: impl PgExecutor<'_>, id: Uuid, skipped: bool) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update bulk_edits set done = done + 1, skipped = skipped + $2::int where id = $1",
            id,
            i32::from(skipped),
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// All are.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn finish(db: impl PgExecutor<'_>, id: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update bulk_edits set finished_at = now() where id = $1",
            id
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
