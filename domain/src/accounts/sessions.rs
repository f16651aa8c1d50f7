//! Devices and their rotating refresh tokens.
//!
//! A session is the family of refresh tokens that follow from one log-in. Each token is exchanged once; the
//! previous one is honoured a little longer, because an answer may be lost and two tabs may ask at once. Whoever
//! uses it later has stolen it, or was stolen from: the family is revoked.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor, postgres::types::PgInterval};
use uuid::Uuid;

use super::{hash_secret, new_secret};
use crate::ids::{SessionId, UserId};

/// A signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user: UserId,
    /// The refresh token for the cookie. Only its hash is stored.
    pub refresh_token: String,
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// Exchanged for a new one.
    Rotated(Session),
    /// Used again after its time: the family is revoked now, and the caller must commit that.
    Reused { session: SessionId, user: UserId },
    /// Unknown, expired, revoked, or of somebody who was deactivated.
    Invalid,
}

impl Session {
    /// Signs a device in for `ttl`.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn start(
        conn: &mut PgConnection,
        user: UserId,
        user_agent: &str,
        ttl: Duration,
    ) -> Result<Self, sqlx::Error> {
        let id = SessionId::new();
        let agent: String = user_agent.chars().take(300).collect();
        sqlx::query!(
            "insert into sessions (id, user_id, user_agent, expires_at) values ($1, $2, $3, now() + $4::interval)",
            id.0,
            user.0,
            agent,
            interval(ttl),
        )
        .execute(&mut *conn)
        .await?;
        let refresh_token = add_token(conn, id).await?;
        Ok(Self {
            id,
            user,
            refresh_token,
        })
    }

    /// Exchanges a refresh token. A token that was exchanged less than `grace` ago is exchanged again.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn rotate(
        conn: &mut PgConnection,
        token: &str,
        grace: Duration,
        ttl: Duration,
    ) -> Result<Rotation, sqlx::Error> {
        let hash = hash_secret(token);
        // The session's row lock puts two refreshes of one family in order.
        let found = sqlx::query!(
            r#"select s.id, s.user_id,
                      s.revoked_at is null and s.expires_at > now() and u.is_active as "live!",
                      t.rotated_at is not null as "rotated!",
                      coalesce(t.rotated_at < clock_timestamp() - $2::interval, false) as "late!"
                 from refresh_tokens t join sessions s on s.id = t.session_id join users u on u.id = s.user_id
                where t.hash = $1 for update of s, t"#,
            hash,
            interval(grace),
        )
        .fetch_optional(&mut *conn)
        .await?;
        let Some(found) = found.filter(|f| f.live) else {
            return Ok(Rotation::Invalid);
        };
        let (session, user) = (SessionId(found.id), UserId(found.user_id));
        if found.late {
            Self::revoke(&mut *conn, session, "reuse").await?;
            return Ok(Rotation::Reused { session, user });
        }
        if !found.rotated {
            sqlx::query!(
                "update refresh_tokens set rotated_at = clock_timestamp() where hash = $1",
                hash
            )
            .execute(&mut *conn)
            .await?;
        }
        sqlx::query!(
            "update sessions set expires_at = now() + $2::interval where id = $1",
            found.id,
            interval(ttl)
        )
        .execute(&mut *conn)
        .await?;
        let refresh_token = add_token(conn, session).await?;
        Ok(Rotation::Rotated(Self {
            id: session,
            user,
            refresh_token,
        }))
    }

    /// Ends a session; false if it had ended before.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn revoke(
        db: impl PgExecutor<'_>,
        id: SessionId,
        why: &str,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update sessions set revoked_at = now(), revoked_for = $2 where id = $1 and revoked_at is null",
            id.0,
            why,
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Ends the session that a refresh token belongs to; false for a token that is unknown or of an ended one.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn sign_out(db: impl PgExecutor<'_>, token: &str) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update sessions set revoked_at = now(), revoked_for = 'signed_out'
              where revoked_at is null and id = (select session_id from refresh_tokens where hash = $1)",
            hash_secret(token),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Which of `ids` have ended: revoked, or their user deactivated or deleted. One statement for all sockets of
    /// a process.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn ended(
        db: impl PgExecutor<'_>,
        ids: &[SessionId],
    ) -> Result<Vec<SessionId>, sqlx::Error> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let ended = sqlx::query_scalar!(
            r#"select i.id as "id!" from unnest($1::uuid[]) as i(id)
                where not exists (select from sessions s join users u on u.id = s.user_id
                                   where s.id = i.id and s.revoked_at is null and u.is_active)"#,
            &ids,
        )
        .fetch_all(db)
        .await?;
        Ok(ended.into_iter().map(SessionId).collect())
    }
}

async fn add_token(conn: &mut PgConnection, session: SessionId) -> Result<String, sqlx::Error> {
    let (token, hash) = new_secret();
    sqlx::query!(
        "insert into refresh_tokens (hash, session_id) values ($1, $2)",
        hash,
        session.0
    )
    .execute(conn)
    .await?;
    Ok(token)
}

/// Settings are whole milliseconds and far below the limits of an interval.
fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}
