//! What a person was told, newest first, and what of it they have seen.

use chrono::{DateTime, Utc};
use millrace_bus::{Event, Hint};
use serde_json::json;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::Kind;
use crate::{
    ids::{NotificationId, UserId, VideoId},
    videos::topic_of_user,
};

/// Unread ones are counted up to here: a bell that shows "99+" need not know how many more there are.
pub const MOST_UNREAD: i64 = 100;

/// News as it is shown. Names are those of now; what is gone, or hidden from this person, has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    pub id: NotificationId,
    pub kind: Kind,
    /// Who did it.
    pub actor: Option<String>,
    pub video: Option<(VideoId, String)>,
    pub comment: Option<Uuid>,
    /// Of a report: whether something was done about it.
    pub upheld: Option<bool>,
    pub read: bool,
    pub created_at: DateTime<Utc>,
}

/// At most `limit` of a person's, newest first, after the one with the id `before` if there is one.
///
/// # Errors
/// Those of the statement.
pub async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    unread_only: bool,
    before: Option<NotificationId>,
    limit: i64,
) -> Result<Vec<Notification>, sqlx::Error> {
    let known = Kind::ALL.map(|kind| kind.word().to_owned());
    let rows = sqlx::query!(
        r#"select n.id, n.kind, n.comment_id, n.upheld, n.read_at, n.created_at, a.username::text as "actor?",
                  v.id as "video_id?", v.title as "title?"
             from notifications n
             left join users a on a.id = n.actor_id
             left join videos v on v.id = n.video_id and v.deleted_at is null and (v.user_id = n.user_id or v.visibility <> 'private')
            where n.user_id = $1 and ($2::uuid is null or n.id < $2) and (n.read_at is null or not $3) and n.kind = any($5)
            order by n.id desc limit $4"#,
        user.0,
        before.map(|id| id.0),
        unread_only,
        limit,
        // A version after this one may have told of something that this one does not know.
        &known,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Notification {
                id: NotificationId(row.id),
                kind: Kind::of_word(&row.kind)?,
                actor: row.actor,
                video: row.video_id.map(VideoId).zip(row.title),
                comment: row.comment_id,
                upheld: row.upheld,
                read: row.read_at.is_some(),
                created_at: row.created_at,
            })
        })
        .collect())
}

/// How many of a person's are unread, up to [`MOST_UNREAD`].
///
/// # Errors
/// Those of the statement.
pub async fn unread(db: impl PgExecutor<'_>, user: UserId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from
           (select from notifications where user_id = $1 and read_at is null limit $2) as n"#,
        user.0,
        MOST_UNREAD,
    )
    .fetch_one(db)
    .await
}

/// Notes that a person has seen one of theirs; false if it is not theirs. Their other pages hear of it.
///
/// # Errors
/// Those of the statements.
pub async fn mark_read(
    conn: &mut PgConnection,
    user: UserId,
    id: NotificationId,
) -> Result<Option<Hint>, sqlx::Error> {
    let before = sqlx::query_scalar!(
        r#"update notifications n set read_at = coalesce(n.read_at, now())
             from (select id, read_at from notifications where id = $1 and user_id = $2 for update) as old
            where n.id = old.id returning old.read_at is null as "was_unread!""#,
        id.0,
        user.0,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match before {
        None => Ok(None),
        Some(false) => Ok(Some(Hint::none())),
        Some(true) => tell_pages(conn, user).await.map(Some),
    }
}

/// Notes that a person has seen all of theirs up to the one with the id `up_to`: what came since stays unread.
///
/// # Errors
/// Those of the statements.
pub async fn mark_all_read(
    conn: &mut PgConnection,
    user: UserId,
    up_to: Option<NotificationId>,
) -> Result<Hint, sqlx::Error> {
    let done = sqlx::query!(
        "update notifications set read_at = now()
          where user_id = $1 and read_at is null and ($2::uuid is null or id <= $2)",
        user.0,
        up_to.map(|id| id.0),
    )
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(Hint::none());
    }
    tell_pages(conn, user).await
}

async fn tell_pages(conn: &mut PgConnection, user: UserId) -> Result<Hint, sqlx::Error> {
    let event = Event {
        topic: topic_of_user(user),
        data: json!({"type": "notifications_read"}),
    };
    millrace_bus::publish(conn, &[event]).await
}
