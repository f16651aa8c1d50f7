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

/// Whether some worker has registered a kind of this name, now or formerly, or there are live jobs of it. For refusing slips
/// of the pen: an unknown kind takes a look at the whole hot table.
///
/// # Errors
/// Those of the statement.
pub async fn is_known_kind(db: impl PgExecutor<'_>, kind: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from queue.kind where kind = $1 or $1 = any (aliases))
             or exists (select from queue.job where kind = $1)",
    )
    .bind(Some(kind).filter(|kind| !kind.contains('\0')))
    .fetch_one(db)
    .await
}

/// Whether somebody serves a queue of this name, has decided something about it, or there are live jobs in it.
///
/// # Errors
/// Those of the statement.
pub async fn is_known_queue(db: impl PgExecutor<'_>, queue: &str) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from queue.queue where name = $1 and name <> '*')
             or exists (select from queue.kind where queue = $1)
             or exists (select from queue.worker where queues ? $1)
             or exists (select from queue.job where queue = $1)",
    )
    .bind(Some(queue).filter(|queue| !queue.contains('\0')))
    .fetch_one(db)
    .await
}
