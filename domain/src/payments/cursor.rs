//! How far a provider's list of events was read.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

/// Until when events were read; none before the first reading.
///
/// # Errors
/// Those of the statement.
pub async fn read_until(
    db: impl PgExecutor<'_>,
    provider: &str,
) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!(
        "select read_until from payment_cursors where provider = $1",
        provider
    )
    .fetch_optional(db)
    .await
}

/// Notes that events were read until `at`; it never goes back.
///
/// # Errors
/// Those of the statement.
pub async fn advance(
    db: impl PgExecutor<'_>,
    provider: &str,
    at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into payment_cursors as c (provider, read_until) values ($1, $2)
         on conflict (provider) do update
            set read_until = greatest(c.read_until, excluded.read_until), updated_at = now()",
        provider,
        at,
    )
    .execute(db)
    .await?;
    Ok(())
}
