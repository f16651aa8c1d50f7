//! How long finished jobs are kept: a number of days for each queue, and one for all others.

use sqlx::{Connection as _, PgConnection};

use crate::validate::check_name;

/// What queues without a number of their own go by is set under this name.
const USUAL: &str = "*";
/// The most days.
const MOST: u16 = 3650;

/// How long the finished jobs of a queue are kept.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Retention {
    /// `*` stands for all queues that are not listed.
    pub queue: String,
    pub days: i32,
}

/// Why a retention could not be set.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("finished jobs are kept for 0 to {MOST} days")]
    Days,
    /// The reason, as a sentence.
    #[error("{0}")]
    Queue(String),
    #[error("could not set how long jobs are kept")]
    Database(#[from] sqlx::Error),
}

/// Keeps what ends in `queue` from now on for so many days after its own; `None` takes the queue's number away. The queue
/// `*` stands for all without one, and `None` for what the workers say of them ([`EngineOptions`](crate::EngineOptions)).
/// Jobs that have ended already go on the day that was set then.
///
/// # Errors
/// See [`KeepError`].
pub async fn keep(
    conn: &mut PgConnection,
    queue: &str,
    days: Option<u16>,
) -> Result<(), KeepError> {
    if days.is_some_and(|days| days > MOST) {
        return Err(KeepError::Days);
    }
    if queue != USUAL {
        check_name(queue).map_err(KeepError::Queue)?;
    }
    let mut tx = conn.begin().await?;
    sqlx::query(
        "insert into queue.queue as q (name, keep_days) values ($1, $2)
         on conflict (name) do update set keep_days = coalesce(excluded.keep_days, q.keep_default)",
    )
    .bind(queue)
    .bind(days.map(i32::from))
    .execute(&mut *tx)
    .await?;
    // The days on which they go have partitions before anything ends.
    sqlx::query("select queue.ensure_partitions()")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// All numbers that are set, and the usual one, which comes first.
///
/// # Errors
/// Those of the statement.
pub async fn retentions(conn: &mut PgConnection) -> Result<Vec<Retention>, sqlx::Error> {
    sqlx::query_as(
        "select name as queue, keep_days as days from queue.queue
          where keep_days is not null order by name <> '*', name",
    )
    .fetch_all(conn)
    .await
}
