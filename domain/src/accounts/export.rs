//! A copy of what an account holds.

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};

use super::{Link, Purpose};
use crate::ids::{ExportId, UserId};

/// The parts of a copy: a file name, and the rows as JSON. Secrets (hashes, sealed keys, tokens) are left out by naming
/// what is in. A table that holds something of people belongs in here.
const PARTS: [(&str, &str); 13] = [
    (
        "profile",
        "select jsonb_agg(to_jsonb(r)) from (
            select id, username, email, email_verified_at, bio, language, time_zone, role, created_at
              from users where id = $1) r",
    ),
    (
        "devices",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select id, user_agent, created_at, updated_at as seen_at, expires_at, revoked_at, revoked_for
              from sessions where user_id = $1) r",
    ),
    (
        "videos",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select id, title, description, visibility, status, duration, original_name, file_size, created_at
              from videos where user_id = $1) r",
    ),
    (
        "uploads",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select id, filename, size, content_type, status, video_id, created_at
              from uploads where user_id = $1) r",
    ),
    (
        "mail",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select message, recipient, state, sent_at, created_at from emails where user_id = $1) r",
    ),
    (
        "notification_preferences",
        "select jsonb_agg(to_jsonb(r) order by r.kind) from (
            select kind, web, email from notification_preferences where user_id = $1) r",
    ),
    (
        "following",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select creator_id, created_at from follows where follower_id = $1) r",
    ),
    (
        "likes",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select video_id, created_at from video_likes where user_id = $1) r",
    ),
    (
        "comments",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select id, video_id, parent_id, body, edited_at, created_at from comments where user_id = $1) r",
    ),
    (
        "decisions",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select d.id, d.target, d.target_id, d.action, d.reason, d.note, d.excerpt, d.until, d.created_at, d.lifted_at,
                   a.body as appeal, a.state as appeal_state, a.answer
              from moderation_decisions d left join appeals a on a.decision_id = d.id
             where d.owner_id = $1 and d.action <> 'dismiss') r",
    ),
    (
        "history",
        "select jsonb_agg(to_jsonb(r)) from (select * from watch_history where user_id = $1) r",
    ),
    (
        "recommendations",
        "select jsonb_agg(to_jsonb(r)) from (select videos, made_at, model from recommendations where user_id = $1) r",
    ),
    (
        "playlists",
        "select jsonb_agg(to_jsonb(r) order by r.created_at) from (
            select p.*, (select jsonb_agg(i.video_id order by i.position) from playlist_items i where i.playlist_id = p.id)
                          as videos
              from playlists p where p.user_id = $1) r",
    ),
];

/// A copy that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    pub id: ExportId,
    pub user: UserId,
    /// The object, once it is there.
    pub key: Option<String>,
}

impl Export {
    /// Everything of one copy lies below.
    pub fn folder(id: ExportId) -> String {
        format!("exports/{id}/")
    }

    /// Writes down that a copy is wanted; `None` while another one is being made.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn begin(
        db: impl PgExecutor<'_>,
        user: UserId,
    ) -> Result<Option<ExportId>, sqlx::Error> {
        let id = ExportId::new();
        let done = sqlx::query!(
            "insert into exports (id, user_id) values ($1, $2) on conflict (user_id) where key is null do nothing",
            id.0,
            user.0
        )
        .execute(db)
        .await?;
        Ok((done.rows_affected() == 1).then_some(id))
    }

    /// One that is wanted or there.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn find(db: impl PgExecutor<'_>, id: ExportId) -> Result<Option<Self>, sqlx::Error> {
        let row = sqlx::query!(
            "select e.user_id, e.key from exports e join users u on u.id = e.user_id
              where e.id = $1 and e.expires_at > now() and u.is_active",
            id.0
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Self {
            id,
            user: UserId(row.user_id),
            key: row.key,
        }))
    }

    /// Its object is there; false if that was known, or nobody wants it any more.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn finish(
        db: impl PgExecutor<'_>,
        id: ExportId,
        key: &str,
        size: usize,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update exports set key = $2, size = $3 where id = $1 and key is null",
            id.0,
            key,
            i64::try_from(size).unwrap_or(i64::MAX),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The object that a link in a mail leads to: the newest copy of that person. The link is good as long as the copy,
    /// since downloads break off.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn behind(
        conn: &mut PgConnection,
        token: &str,
    ) -> Result<Option<String>, sqlx::Error> {
        let link = Link::find(&mut *conn, token)
            .await?
            .filter(|link| link.purpose == Purpose::Export);
        let Some(link) = link else {
            return Ok(None);
        };
        sqlx::query_scalar!(
            r#"select key as "key!" from exports where user_id = $1 and key is not null and expires_at > now()
                order by id desc limit 1"#,
            link.user.0
        )
        .fetch_optional(conn)
        .await
    }

    /// Deletes the rows of somebody's copies and returns their folders.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn forget_all(
        db: impl PgExecutor<'_>,
        user: UserId,
    ) -> Result<Vec<String>, sqlx::Error> {
        let ids = sqlx::query_scalar!(
            "delete from exports where user_id = $1 returning id",
            user.0
        )
        .fetch_all(db)
        .await?;
        Ok(ids
            .into_iter()
            .map(|id| Self::folder(ExportId(id)))
            .collect())
    }

    /// What `user` has here, by parts. One snapshot: `conn` is in a transaction that reads repeatably.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn parts(
        conn: &mut PgConnection,
        user: UserId,
    ) -> Result<Vec<(&'static str, Value)>, sqlx::Error> {
        sqlx::query("set transaction isolation level repeatable read, read only")
            .execute(&mut *conn)
            .await?;
        let mut parts = Vec::with_capacity(PARTS.len());
        for (name, statement) in PARTS {
            let rows: Option<Value> = sqlx::query_scalar(statement)
                .bind(user.0)
                .fetch_one(&mut *conn)
                .await?;
            parts.push((name, rows.unwrap_or_else(|| Value::Array(Vec::new()))));
        }
        Ok(parts)
    }
}
