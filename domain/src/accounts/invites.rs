//! Invitations: each lets one person register, for a while.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{hash_secret, new_secret};
use crate::ids::{InviteId, UserId};

/// An invitation as staff see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    pub id: InviteId,
    pub note: String,
    /// Who made it; `None` when their account is gone.
    pub created_by: Option<String>,
    pub expires_at: DateTime<Utc>,
    pub used_at: Option<DateTime<Utc>>,
    /// Who came by it.
    pub used_by: Option<String>,
    pub created_at: DateTime<Utc>,
}

struct Row {
    id: Uuid,
    note: String,
    created_by: Option<String>,
    expires_at: DateTime<Utc>,
    used_at: Option<DateTime<Utc>>,
    used_by: Option<String>,
    created_at: DateTime<Utc>,
}

impl From<Row> for Invite {
    fn from(row: Row) -> Self {
        Self {
            id: InviteId(row.id),
            note: row.note,
            created_by: row.created_by,
            expires_at: row.expires_at,
            used_at: row.used_at,
            used_by: row.used_by,
            created_at: row.created_at,
        }
    }
}

impl Invite {
    /// Makes one that is good for `days`. Its token is told once; only its hash is stored.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn create(
        db: impl PgExecutor<'_>,
        by: UserId,
        note: &str,
        days: u32,
    ) -> Result<(InviteId, String), sqlx::Error> {
        let (id, (token, hash)) = (InviteId::new(), new_secret());
        sqlx::query!(
            "insert into invites (id, hash, note, created_by, expires_at)
             values ($1, $2, $3, $4, now() + make_interval(days => $5))",
            id.0,
            hash,
            note,
            by.0,
            i32::try_from(days).unwrap_or(i32::MAX),
        )
        .execute(db)
        .await?;
        Ok((id, token))
    }

    /// A page of them, the newest first, from before the one named `before`.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn list(
        db: impl PgExecutor<'_>,
        before: Option<InviteId>,
        limit: i64,
    ) -> Result<Vec<Self>, sqlx::Error> {
        // Ids sort by time.
        let rows = sqlx::query_as!(
            Row,
            r#"select i.id, i.note, i.expires_at, i.used_at, i.created_at,
                      (select username::text from users u where u.id = i.created_by) as created_by,
                      (select username::text from users u where u.id = i.used_by) as used_by
                 from invites i where $1::uuid is null or i.id < $1 order by i.id desc limit $2"#,
            before.map(|id| id.0),
            limit,
        )
        .fetch_all(db)
        .await?;
        Ok(rows.into_iter().map(Self::from).collect())
    }

    /// Takes one back; false if there is none, or somebody came by it.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn withdraw(db: impl PgExecutor<'_>, id: InviteId) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "delete from invites where id = $1 and used_at is null",
            id.0
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether a token is that of an invitation that is good.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn is_good(db: impl PgExecutor<'_>, token: &str) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar!(
            r#"select exists(select from invites where hash = $1 and used_at is null and expires_at > now()) as "good!""#,
            hash_secret(token)
        )
        .fetch_one(db)
        .await
    }

    /// Uses one up for `user`, in the transaction that makes the account; false if it is not good. Its row lock decides
    /// between two that come by it at once.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn redeem(
        conn: &mut PgConnection,
        token: &str,
        user: UserId,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update invites set used_at = now(), used_by = $2 where hash = $1 and used_at is null and expires_at > now()",
            hash_secret(token),
            user.0
        )
        .execute(conn)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
