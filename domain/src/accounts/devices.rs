//! The devices that a person is signed in on, as they see them.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::Session;
use crate::ids::{SessionId, UserId};

/// Devices that a list has at most. Whoever signs in on more sees the last ones.
const MOST: i64 = 100;

/// A device with a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub id: SessionId,
    /// As it introduced itself when it signed in.
    pub user_agent: String,
    pub created_at: DateTime<Utc>,
    /// When it last renewed its access: at most as long ago as a token lives while somebody uses it.
    pub seen_at: DateTime<Utc>,
}

impl Device {
    /// The devices of `user`, the last seen first, at most 100.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn list(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<Self>, sqlx::Error> {
        let rows = sqlx::query!(
            "select id, user_agent, created_at, updated_at from sessions
              where user_id = $1 and revoked_at is null and expires_at > now()
              order by updated_at desc, id desc limit $2",
            user.0,
            MOST,
        )
        .fetch_all(db)
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| Self {
                id: SessionId(row.id),
                user_agent: row.user_agent,
                created_at: row.created_at,
                seen_at: row.updated_at,
            })
            .collect())
    }
}

impl Session {
    /// Ends one session of `user`; false if there is none that lives.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn end(
        db: impl PgExecutor<'_>,
        id: SessionId,
        user: UserId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update sessions set revoked_at = now(), revoked_for = 'signed_out'
              where id = $1 and user_id = $2 and revoked_at is null and expires_at > now()",
            id.0,
            user.0,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends all sessions of `user` but `except`, and says how many those were.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn end_all(
        db: impl PgExecutor<'_>,
        user: UserId,
        except: Option<SessionId>,
        why: &str,
    ) -> Result<u64, sqlx::Error> {
        let done = sqlx::query!(
            "update sessions set revoked_at = now(), revoked_for = $3
              where user_id = $1 and id is distinct from $2 and revoked_at is null",
            user.0,
            except.map(|id| id.0),
            why,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected())
    }
}
