//! Token buckets in the database, shared by all replicas.

use std::time::Duration;

use sqlx::PgExecutor;

/// How much a key may do: bursts of `burst`, refilled by one every `refill`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    pub burst: f64,
    pub refill: Duration,
}

impl Bucket {
    /// A bucket of `burst` tokens that gains one every `refill`.
    pub fn new(burst: u32, refill: Duration) -> Self {
        Self {
            burst: f64::from(burst.max(1)),
            refill: refill.max(Duration::from_millis(1)),
        }
    }
}

/// Takes one token of `key`; `Some(wait)` says that there was none, and when there will be one.
///
/// # Errors
/// Those of the statement.
pub async fn take(
    db: impl PgExecutor<'_>,
    key: &str,
    bucket: Bucket,
) -> Result<Option<Duration>, sqlx::Error> {
    // Below zero marks a refusal: the bucket then holds one more than it says. So one statement decides, and a
    // refused attempt costs nothing, however often it is repeated.
    let left = sqlx::query_scalar!(
        "insert into throttles as t (key, tokens, updated_at)
         values ($1, $2::float8 - 1, clock_timestamp())
         on conflict (key) do update set updated_at = clock_timestamp(),
             tokens = least($2::float8, t.tokens + case when t.tokens < 0 then 1 else 0 end
                      + extract(epoch from clock_timestamp() - t.updated_at)::float8 / $3::float8) - 1
         returning tokens",
        key,
        bucket.burst,
        bucket.refill.as_secs_f64(),
    )
    .fetch_one(db)
    .await?;
    Ok((left < 0.0).then(|| bucket.refill.mul_f64(-left)))
}

/// Fills the bucket of `key`: what a success does for an account.
///
/// # Errors
/// Those of the statement.
pub async fn forgive(db: impl PgExecutor<'_>, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("delete from throttles where key = $1", key)
        .execute(db)
        .await?;
    Ok(())
}
