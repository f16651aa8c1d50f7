//! Between the two steps of a log-in: who gave the right password gets a challenge, and a code answers it.

use std::time::Duration;

use sqlx::{PgConnection, PgExecutor};

use super::{hash_secret, new_secret};
use crate::ids::UserId;

/// How long the second step may take, in seconds.
const SECONDS: i32 = 300;
/// Wrong codes that end it.
const PATIENCE: i16 = 5;

/// A challenge as its holder gets it. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    pub challenge: String,
    pub expires_in: Duration,
}

impl Challenge {
    /// Makes one for somebody whose password was right.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn issue(db: impl PgExecutor<'_>, user: UserId) -> Result<Self, sqlx::Error> {
        let (challenge, hash) = new_secret();
        sqlx::query!(
            "insert into login_challenges (hash, user_id, expires_at) values ($1, $2, now() + make_interval(secs => $3))",
            hash,
            user.0,
            f64::from(SECONDS),
        )
        .execute(db)
        .await?;
        Ok(Self {
            challenge,
            expires_in: Duration::from_secs(SECONDS.unsigned_abs().into()),
        })
    }

    /// Whose challenge it is. Counts the try, so that it must be committed even when the code turns out wrong; `None`
    /// if it is unknown, over, or was tried too often. Its row lock puts two tries in order.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn attempt(
        conn: &mut PgConnection,
        challenge: &str,
    ) -> Result<Option<UserId>, sqlx::Error> {
        let user = sqlx::query_scalar!(
            "update login_challenges set attempts = attempts + 1
              where hash = $1 and expires_at > now() and attempts < $2 returning user_id",
            hash_secret(challenge),
            PATIENCE,
        )
        .fetch_optional(conn)
        .await?;
        Ok(user.map(UserId))
    }

    /// Uses it up: it was answered.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn spend(db: impl PgExecutor<'_>, challenge: &str) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "delete from login_challenges where hash = $1",
            hash_secret(challenge)
        )
        .execute(db)
        .await?;
        Ok(())
    }
}
