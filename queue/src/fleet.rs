//! What all workers together are doing.

use std::collections::HashSet;

use sqlx::PgExecutor;
use uuid::Uuid;

/// How many jobs of `queue` the live workers can run at the same time; at least 1. A worker counts as live while its
/// last heartbeat is at most 45 s old (one and a half default leases), it is not draining and does not hold the queue
/// ([`Holds`](crate::Holds)).
///
/// # Errors
/// Those of the statement.
pub async fn live_slots(db: impl PgExecutor<'_>, queue: &str) -> Result<u32, sqlx::Error> {
    let slots: i64 = sqlx::query_scalar(
        "select coalesce(sum((queues ->> $1)::bigint), 0)::bigint from queue.worker
          where not draining and heartbeat_at > now() - interval '45 seconds' and $1 <> all (held)",
    )
    .bind(queue)
    .fetch_one(db)
    .await?;
    Ok(u32::try_from(slots.max(1)).unwrap_or(u32::MAX))
}

/// Whether any job of a group is still to run or running.
///
/// # Errors
/// Those of the statement.
pub async fn group_is_live(db: impl PgExecutor<'_>, group: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from queue.job where group_id = $1)")
        .bind(group)
        .fetch_one(db)
        .await
}

/// Those of `groups` of which any job is still to run or running.
///
/// # Errors
/// Those of the statement.
pub async fn live_groups(
    db: impl PgExecutor<'_>,
    groups: &[Uuid],
) -> Result<HashSet<Uuid>, sqlx::Error> {
    let live: Vec<Uuid> =
        sqlx::query_scalar("select distinct group_id from queue.job where group_id = any($1)")
            .bind(groups)
            .fetch_all(db)
            .await?;
    Ok(live.into_iter().collect())
}
