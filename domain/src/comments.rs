//! Comments on videos: threads of one level. Counts of likes and replies are kept by the tables (`0018_comments.sql`).

use chrono::{DateTime, Utc};
use millrace_bus::{Event, Hint};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{
    ids::{CommentId, DecisionId, UserId, VideoId},
    keyset::{Page, Wanted},
    videos::topic_of_video,
};

/// The most characters of a comment.
pub const LONGEST: usize = 5_000;

/// A comment as one person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    pub id: CommentId,
    pub video_id: VideoId,
    pub user_id: UserId,
    pub username: String,
    /// The key of the author's avatar in the store.
    pub avatar: Option<String>,
    pub parent_id: Option<CommentId>,
    pub body: String,
    pub likes: i32,
    pub replies: i32,
    pub pinned: bool,
    /// Whether who asks likes it.
    pub liked: bool,
    /// Why nobody but its author sees it; none: all do.
    pub withheld: Option<Withheld>,
    /// The decision of staff that hides it.
    pub hidden_by: Option<DecisionId>,
    pub edited_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Why nobody but its author sees a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, sqlx::Type, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Withheld {
    /// Staff hid it.
    Hidden,
    /// Staff have to read it first.
    Held,
}

/// The order of threads. What is pinned comes first in either.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommentSort {
    /// What people like and talk about first.
    #[default]
    Top,
    /// Newest first.
    New,
}

/// What is written.
#[derive(Debug, Clone)]
pub struct NewComment {
    pub id: CommentId,
    pub video: VideoId,
    pub author: UserId,
    /// What it answers, a reply included.
    pub parent: Option<CommentId>,
    pub body: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    s: CommentSort,
    n: i32,
    t: DateTime<Utc>,
    i: Uuid,
}

/// The columns of [`Comment`]; `$1` is who looks.
macro_rules! select_comment {
    ($tail:literal $(, $arg:expr)* $(,)?) => {
        sqlx::query_as!(
            Comment,
            r#"select c.id as "id: _", c.video_id as "video_id: _", c.user_id as "user_id: _",
                      u.username::text as "username!", u.avatar, c.parent_id as "parent_id: _", c.body, c.likes, c.replies,
                      c.pinned, c.withheld as "withheld: _", c.hidden_by as "hidden_by: _", c.edited_at, c.created_at,
                      exists (select from comment_likes l where l.comment_id = c.id and l.user_id = $1) as "liked!"
                 from comments c join users u on u.id = c.user_id "# + $tail
            $(, $arg)*
        )
    };
}

impl Comment {
    /// The comment as `viewer` sees it, whoever may: ask [`Comment::shown_to`].
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(
        db: impl PgExecutor<'_>,
        id: CommentId,
        viewer: Option<UserId>,
    ) -> Result<Option<Self>, sqlx::Error> {
        select_comment!("where c.id = $2", viewer.map(|id| id.0), id.0)
            .fetch_optional(db)
            .await
    }

    /// Whether `viewer` may see it: what is withheld, its author alone.
    pub fn shown_to(&self, viewer: Option<UserId>) -> bool {
        self.withheld.is_none() || viewer == Some(self.user_id)
    }

    /// Writes a comment; `false` if what it answers is not there (any more).
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn insert(db: impl PgExecutor<'_>, new: &NewComment) -> Result<bool, sqlx::Error> {
        // The thread of a reply is that of what it answers. It is locked, or it could go before the reply comes.
        let done = sqlx::query!(
            "with thread as (
                 select id from comments
                  where id = (select coalesce(parent_id, id) from comments where id = $4 and video_id = $2)
                  for key share)
             insert into comments (id, video_id, user_id, parent_id, body)
             select $1, $2, $3, (select id from thread), $5
              where $4::uuid is null or exists (select from thread)",
            new.id.0,
            new.video.0,
            new.author.0,
            new.parent.map(|id| id.0),
            new.body,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Changes what its author wrote; `false` if it is not theirs.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn edit(
        db: impl PgExecutor<'_>,
        id: CommentId,
        author: UserId,
        body: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update comments set body = $3, edited_at = now() where id = $1 and user_id = $2 and body <> $3",
            id.0,
            author.0,
            body,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Deletes a comment and the replies to it, for its author or the owner of the video; `false` for others.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn delete(
        db: impl PgExecutor<'_>,
        id: CommentId,
        user: UserId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "delete from comments c using videos v
              where c.id = $1 and v.id = c.video_id and (c.user_id = $2 or v.user_id = $2)",
            id.0,
            user.0,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Pins a thread above the others, or no more. One at a time: another pin goes.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn pin(
        conn: &mut PgConnection,
        id: CommentId,
        video: VideoId,
        pinned: bool,
    ) -> Result<(), sqlx::Error> {
        // Two pins at once take turns; the constraint would refuse one of them.
        sqlx::query!(
            "select id from videos where id = $1 for no key update",
            video.0
        )
        .fetch_optional(&mut *conn)
        .await?;
        sqlx::query!(
            "update comments set pinned = false where video_id = $1 and pinned",
            video.0
        )
        .execute(&mut *conn)
        .await?;
        if pinned {
            sqlx::query!(
                "update comments set pinned = true where id = $1 and parent_id is null",
                id.0
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }

    /// Likes a comment, or no more; again changes nothing.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn like(
        conn: &mut PgConnection,
        id: CommentId,
        user: UserId,
        liked: bool,
    ) -> Result<(), sqlx::Error> {
        if liked {
            sqlx::query!(
                "insert into comment_likes (comment_id, user_id) values ($1, $2) on conflict do nothing",
                id.0,
                user.0
            )
            .execute(conn)
            .await?;
        } else {
            sqlx::query!(
                "delete from comment_likes where comment_id = $1 and user_id = $2",
                id.0,
                user.0
            )
            .execute(conn)
            .await?;
        }
        Ok(())
    }
}

/// How many comments of a video are shown, replies included. What is withheld is rare, and takes the replies to it along.
///
/// # Errors
/// Those of the statement.
pub async fn count(db: impl PgExecutor<'_>, video: VideoId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select (select count(*) from comments where video_id = $1 and withheld is null)
                - (select coalesce(sum(replies), 0) from comments
                    where video_id = $1 and withheld is not null and parent_id is null) as "count!""#,
        video.0
    )
    .fetch_one(db)
    .await
}

/// The threads of a video. The pinned one comes first, on the first page.
///
/// # Errors
/// Those of the statements.
pub async fn threads(
    conn: &mut PgConnection,
    video: VideoId,
    sort: CommentSort,
    viewer: Option<UserId>,
    wanted: &Wanted,
) -> Result<Page<Comment>, sqlx::Error> {
    let after = wanted.place::<Place>().filter(|place| place.s == sort);
    let first = after.is_none();
    let (score, time, id) = after.map_or((None, None, None), |p| (Some(p.n), Some(p.t), Some(p.i)));
    let viewer = viewer.map(|id| id.0);
    let rows = match sort {
        CommentSort::Top => {
            select_comment!(
                "where c.video_id = $2 and c.parent_id is null and not c.pinned and (c.withheld is null or c.user_id = $1)
                   and ($3::int4 is null or (c.score, c.id) < ($3, $4::uuid))
                 order by c.score desc, c.id desc limit $5",
                viewer,
                video.0,
                score,
                id,
                wanted.rows(),
            )
            .fetch_all(&mut *conn)
            .await?
        }
        CommentSort::New => {
            select_comment!(
                "where c.video_id = $2 and c.parent_id is null and not c.pinned and (c.withheld is null or c.user_id = $1)
                   and ($3::timestamptz is null or (c.created_at, c.id) < ($3, $4::uuid))
                 order by c.created_at desc, c.id desc limit $5",
                viewer,
                video.0,
                time,
                id,
                wanted.rows(),
            )
            .fetch_all(&mut *conn)
            .await?
        }
    };
    let mut page = wanted.page(rows, |row| Place {
        s: sort,
        n: row.likes + row.replies,
        t: row.created_at,
        i: row.id.0,
    });
    if first {
        let pinned = select_comment!("where c.video_id = $2 and c.pinned", viewer, video.0)
            .fetch_optional(conn)
            .await?;
        if let Some(pinned) = pinned {
            page.items.insert(0, pinned);
        }
    }
    Ok(page)
}

/// The replies of a thread, oldest first, as people talk.
///
/// # Errors
/// Those of the statement.
pub async fn replies(
    db: impl PgExecutor<'_>,
    thread: CommentId,
    viewer: Option<UserId>,
    wanted: &Wanted,
) -> Result<Page<Comment>, sqlx::Error> {
    let after: Option<(DateTime<Utc>, Uuid)> = wanted.place();
    let rows = select_comment!(
        "where c.parent_id = $2 and (c.withheld is null or c.user_id = $1) and ($3::timestamptz is null or (c.created_at, c.id) > ($3, $4::uuid))
         order by c.created_at, c.id limit $5",
        viewer.map(|id| id.0),
        thread.0,
        after.map(|place| place.0),
        after.map(|place| place.1),
        wanted.rows(),
    )
    .fetch_all(db)
    .await?;
    Ok(wanted.page(rows, |row| (row.created_at, row.id.0)))
}

/// Tells the video's topic that its comments changed. Call it last in the transaction.
///
/// # Errors
/// Those of the statement.
pub async fn changed(
    conn: &mut PgConnection,
    video: VideoId,
    comment: CommentId,
    thread: Option<CommentId>,
    what: Change,
) -> Result<Hint, sqlx::Error> {
    let data = json!({ "type": "comment", "change": what, "id": comment, "thread": thread });
    let event = Event {
        topic: topic_of_video(video),
        data,
    };
    millrace_bus::publish(conn, &[event]).await
}

/// What became of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Written,
    Edited,
    Deleted,
    Pinned,
}
