//! What a person is to a video.

use sqlx::PgExecutor;

use crate::ids::{UserId, VideoId};

/// What stands around a video, as one person sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewerState {
    pub likes: i64,
    pub liked: bool,
    /// Replies included.
    pub comments: i64,
    /// Of its creator, counted as far as [`crate::follows::COUNTED`].
    pub followers: i64,
    pub following: bool,
    /// Seconds: where they stopped, if that is neither its beginning nor its end.
    pub resume_at: Option<f64>,
    /// Whether they want to watch it later.
    pub watch_later: bool,
    /// The key of the creator's avatar in the store.
    pub creator_avatar: Option<String>,
}

impl ViewerState {
    /// That of a video for `viewer`; none if there is no such video.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(
        db: impl PgExecutor<'_>,
        video: VideoId,
        viewer: Option<UserId>,
    ) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as!(
            Self,
            r#"select v.likes, u.avatar as creator_avatar,
                      exists (select from video_likes l where l.video_id = v.id and l.user_id = $2) as "liked!",
                      (select count(*) from comments c where c.video_id = v.id and c.withheld is null)
                    - (select coalesce(sum(c.replies), 0) from comments c
                        where c.video_id = v.id and c.withheld is not null and c.parent_id is null) as "comments!",
                      (select count(*) from (select from follows f where f.creator_id = v.user_id limit 1001) few) as "followers!",
                      exists (select from follows f where f.creator_id = v.user_id and f.follower_id = $2) as "following!",
                      (select h.position from watch_history h
                        where h.user_id = $2 and h.video_id = v.id and h.position between 5 and v.duration * 0.95) as resume_at,
                      exists (select from playlist_items i join playlists p on p.id = i.playlist_id
                               where p.user_id = $2 and p.kind = 'watch_later' and i.video_id = v.id) as "watch_later!"
                 from videos v join users u on u.id = v.user_id
                where v.id = $1"#,
            video.0,
            viewer.map(|id| id.0),
        )
        .fetch_optional(db)
        .await
    }
}
