//! Channels: a creator as others see them, and what they show.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    ids::{UserId, VideoId},
    keyset::{Page, Wanted},
};

/// A creator as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    pub id: UserId,
    pub username: String,
    /// The key of the avatar in the store.
    pub avatar: Option<String>,
    pub bio: String,
    /// Counted as far as [`crate::follows::COUNTED`].
    pub followers: i64,
    /// Those that everybody may find.
    pub videos: i64,
    /// Whether who asks follows them.
    pub following: bool,
    pub created_at: DateTime<Utc>,
}

/// The order of a channel's videos.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelSort {
    /// Newest first.
    #[default]
    New,
    /// Most watched first.
    Popular,
    /// Oldest first.
    Old,
}

impl Channel {
    /// The channel of an active person by name, without regard to case, as `viewer` sees it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        username: &str,
        viewer: Option<UserId>,
    ) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select u.id as "id: _", u.username::text as "username!", u.avatar, u.bio, u.created_at,
                      (select count(*) from (select from follows f where f.creator_id = u.id limit 1001) few) as "followers!",
                      (select count(*) from listed_videos v where v.user_id = u.id) as "videos!",
                      exists (select from follows f where f.creator_id = u.id and f.follower_id = $2) as "following!"
                 from users u where u.username = $1::text::citext and u.is_active"#,
            username,
            viewer.map(|id| id.0),
        )
        .fetch_optional(db)
        .await
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    s: ChannelSort,
    t: DateTime<Utc>,
    v: i64,
    i: Uuid,
}

/// The videos of a creator that everybody may find. Views grow while somebody turns pages: by views, a video may then come
/// twice, which the reader of the pages drops.
///
/// # Errors
/// Those of the statement.
pub async fn videos(
    db: impl PgExecutor<'_>,
    creator: UserId,
    sort: ChannelSort,
    wanted: &Wanted,
) -> Result<Page<VideoId>, sqlx::Error> {
    struct Row {
        id: Uuid,
        created_at: DateTime<Utc>,
        views: i64,
    }
    let after = wanted.place::<Place>().filter(|place| place.s == sort);
    let (time, views, id) = after.map_or((None, None, None), |p| (Some(p.t), Some(p.v), Some(p.i)));
    let rows = match sort {
        ChannelSort::New => {
            sqlx::query_as!(
                Row,
                r#"select id as "id!", created_at as "created_at!", views as "views!" from listed_videos
                    where user_id = $1 and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
                    order by created_at desc, id desc limit $4"#,
                creator.0,
                time,
                id,
                wanted.rows(),
            )
            .fetch_all(db)
            .await?
        }
        ChannelSort::Old => {
            sqlx::query_as!(
                Row,
                r#"select id as "id!", created_at as "created_at!", views as "views!" from listed_videos
                    where user_id = $1 and ($2::timestamptz is null or (created_at, id) > ($2, $3::uuid))
                    order by created_at, id limit $4"#,
                creator.0,
                time,
                id,
                wanted.rows(),
            )
            .fetch_all(db)
            .await?
        }
        ChannelSort::Popular => {
            sqlx::query_as!(
                Row,
                r#"select id as "id!", created_at as "created_at!", views as "views!" from listed_videos
                    where user_id = $1 and ($2::int8 is null or (views, id) < ($2, $3::uuid))
                    order by views desc, id desc limit $4"#,
                creator.0,
                views,
                id,
                wanted.rows(),
            )
            .fetch_all(db)
            .await?
        }
    };
    let page = wanted.page(rows, |row| Place {
        s: sort,
        t: row.created_at,
        v: row.views,
        i: row.id,
    });
    Ok(page.map(|row| VideoId(row.id)))
}
