//! What staff change of an account.

use sqlx::PgExecutor;

use super::{Role, User};
use crate::ids::{DecisionId, UserId};

impl User {
    /// Gives the user another role; false if there is no such user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_role(
        db: impl PgExecutor<'_>,
        id: UserId,
        role: Role,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set role = $2 where id = $1",
            id.0,
            role.as_str()
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Lets the user in or keeps them out; tokens and sockets of theirs end at once. It takes the place of a suspension.
    /// False if there is none.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_active(
        db: impl PgExecutor<'_>,
        id: UserId,
        active: bool,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set is_active = $2, suspended_by = null where id = $1",
            id.0,
            active
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The decision that locks this person out, if it is one that does.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn suspended_by(
        db: impl PgExecutor<'_>,
        id: UserId,
    ) -> Result<Option<DecisionId>, sqlx::Error> {
        let found = sqlx::query_scalar!(
            r#"select suspended_by as "decision: DecisionId" from users where id = $1"#,
            id.0
        )
        .fetch_optional(db)
        .await?;
        Ok(found.flatten())
    }

    /// Gives the user another quota in bytes, or with `None` the configured one; false if there is no such user.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn set_quota(
        db: impl PgExecutor<'_>,
        id: UserId,
        quota: Option<u64>,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query!(
            "update users set quota = $2 where id = $1",
            id.0,
            quota.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        )
        .execute(db)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}
