//! Housekeeping that any worker may do at any time: partitions ahead, old days dropped, expired rows swept.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::link::Link;

const EVERY: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(60);

/// Does all of it once.
///
/// # Errors
/// Those of the statements.
pub async fn maintain(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let made: i32 = sqlx::query_scalar("select queue.ensure_partitions()")
        .fetch_one(&mut *conn)
        .await?;
    let dropped: i32 = sqlx::query_scalar("select queue.drop_partitions()")
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query("select queue.keep_logs()")
        .execute(&mut *conn)
        .await?;
    let keys = sqlx::query("delete from queue.unique_key where expires_at < now()")
        .execute(&mut *conn)
        .await?
        .rows_affected();
    sqlx::query(
        "delete from queue.rate_use
          where at < now() - interval '1 hour'
                     - coalesce((select max(period_ms) from queue.limit_policy), 0) * interval '1 millisecond'",
    )
    .execute(&mut *conn)
    .await?;
    // A job that has just ended may still be shown.
    sqlx::query(
        "delete from queue.progress p
          where updated_at < now() - interval '10 minutes' and not exists (select from queue.job j where j.id = p.job_id)",
    )
    .execute(&mut *conn)
    .await?;
    // A clock that is set back further than this fires again.
    sqlx::query("delete from queue.schedule_tick where fired_at < now() - interval '90 days'")
        .execute(&mut *conn)
        .await?;
    // Long enough for an operator to see that a worker has vanished.
    sqlx::query("delete from queue.worker where heartbeat_at < now() - interval '1 hour'")
        .execute(&mut *conn)
        .await?;
    tracing::debug!(made, dropped, keys, "maintained the job tables");
    Ok(())
}

pub(crate) async fn maintain_until(mut link: Link, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let answer = timeout(PATIENCE, async { maintain(link.conn().await?).await }).await;
        if link.settle(answer).is_err() {
            link.rest(&stop).await;
            continue;
        }
        tokio::select! {
            () = sleep(EVERY) => {}
            () = stop.cancelled() => {}
        }
    }
}
