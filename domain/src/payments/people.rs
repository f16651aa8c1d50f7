//! The names of those who sell.

use std::collections::HashMap;

use sqlx::PgExecutor;
use uuid::Uuid;

use crate::ids::UserId;

/// The names of these people, as far as their accounts exist.
///
/// # Errors
/// Those of the statement.
pub async fn names(
    db: impl PgExecutor<'_>,
    people: &[UserId],
) -> Result<HashMap<UserId, String>, sqlx::Error> {
    let ids: Vec<Uuid> = people.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"select id, username::text as "username!" from users where id = any($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (UserId(row.id), row.username))
        .collect())
}
