//! Single-use tickets that open a socket: browsers cannot set headers on one, and a token in a query is logged.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::{hash_secret, new_secret};
use crate::ids::{SessionId, UserId};

/// How long a ticket is good for, in seconds.
const SECONDS: i32 = 30;

/// A ticket as its holder gets it. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub ticket: String,
    /// Seconds.
    pub expires_in: u32,
}

/// Whom a ticket admits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    pub user: UserId,
    pub session: SessionId,
    /// The end of the access token that bought the ticket, and of the socket unless it is extended.
    pub until: DateTime<Utc>,
}

impl Ticket {
    /// Makes a ticket for somebody whose access token ends at `until`. Tickets that nobody used go on the way.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn issue(
        db: impl PgExecutor<'_>,
        user: UserId,
        session: SessionId,
        until: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let (ticket, hash) = new_secret();
        sqlx::query!(
            "with stale as (delete from ws_tickets where user_id = $2 and expires_at < now())
             insert into ws_tickets (hash, user_id, session_id, expires_at, session_until)
             values ($1, $2, $3, now() + make_interval(secs => $4), $5)",
            hash,
            user.0,
            session.0,
            f64::from(SECONDS),
            until,
        )
        .execute(db)
        .await?;
        Ok(Self {
            ticket,
            expires_in: SECONDS.unsigned_abs(),
        })
    }

    /// Uses a ticket up. None if it is unknown, used or too old, or if its session has ended since.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn redeem(
        db: impl PgExecutor<'_>,
        ticket: &str,
    ) -> Result<Option<Admitted>, sqlx::Error> {
        let row = sqlx::query!(
            "with used as (delete from ws_tickets where hash = $1 returning user_id, session_id, expires_at, session_until)
             select used.user_id, used.session_id, used.session_until
               from used join sessions s on s.id = used.session_id join users u on u.id = used.user_id
              where used.expires_at > now() and used.session_until > now() and s.revoked_at is null and u.is_active",
            hash_secret(ticket),
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map(|row| Admitted {
            user: UserId(row.user_id),
            session: SessionId(row.session_id),
            until: row.session_until,
        }))
    }
}
