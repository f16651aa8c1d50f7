//! The switches of operators: pauses and limits, which hold over all workers and survive restarts.

use sqlx::PgConnection;

use crate::Wake;

/// Whether there was anything to switch, and whom to tell after the commit.
#[derive(Debug)]
#[must_use = "fire the wake after the commit, or workers wait for their poll"]
pub struct Switched {
    /// False: there is no such kind.
    pub done: bool,
    pub wake: Wake,
}

/// Claims nothing more of `queue`. Running jobs go on. `by` and `note` are for people.
///
/// # Errors
/// Those of the statement.
pub async fn pause_queue(
    conn: &mut PgConnection,
    queue: &str,
    by: &str,
    note: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query("select queue.set_queue($1, true, $2, $3)")
        .bind(queue)
        .bind(by)
        .bind(note)
        .execute(conn)
        .await?;
    Ok(())
}

/// Claims of `queue` again.
///
/// # Errors
/// Those of the statement.
pub async fn resume_queue(conn: &mut PgConnection, queue: &str) -> Result<Switched, sqlx::Error> {
    sqlx::query("select queue.set_queue($1, false, null, null)")
        .bind(queue)
        .execute(conn)
        .await?;
    Ok(Switched {
        done: true,
        wake: Wake::queues([queue.to_owned(), format!("{queue}*")]),
    })
}

/// At most `max_running` jobs of `queue` run at the same time, over all workers; `None` takes the limit away. With
/// `fair`, the owners of its jobs take turns, however many jobs each of them has.
///
/// # Errors
/// Those of the statement.
pub async fn limit_queue(
    conn: &mut PgConnection,
    queue: &str,
    max_running: Option<u32>,
    fair: bool,
) -> Result<Switched, sqlx::Error> {
    sqlx::query("select queue.limit_queue($1, $2, $3)")
        .bind(queue)
        .bind(max_running.map(count))
        .bind(fair)
        .execute(conn)
        .await?;
    Ok(Switched {
        done: true,
        wake: Wake::queues([queue.to_owned(), format!("{queue}*")]),
    })
}

/// Claims no more jobs of `kind`. Running ones go on.
///
/// # Errors
/// Those of the statement.
pub async fn pause_kind(
    conn: &mut PgConnection,
    kind: &str,
    by: &str,
    note: Option<&str>,
) -> Result<Switched, sqlx::Error> {
    let done = sqlx::query_scalar("select queue.set_kind($1, true, $2, $3)")
        .bind(kind)
        .bind(by)
        .bind(note)
        .fetch_one(conn)
        .await?;
    Ok(Switched {
        done,
        wake: Wake::none(),
    })
}

/// Claims jobs of `kind` again.
///
/// # Errors
/// Those of the statements.
pub async fn resume_kind(conn: &mut PgConnection, kind: &str) -> Result<Switched, sqlx::Error> {
    let done = sqlx::query_scalar("select queue.set_kind($1, false, null, null)")
        .bind(kind)
        .fetch_one(&mut *conn)
        .await?;
    of_kind(conn, kind, done).await
}

/// At most `max_running` jobs of `kind` run at the same time, over all workers; `None` takes the limit away.
///
/// # Errors
/// Those of the statements.
pub async fn limit_kind(
    conn: &mut PgConnection,
    kind: &str,
    max_running: Option<u32>,
) -> Result<Switched, sqlx::Error> {
    let done = sqlx::query_scalar("select queue.limit_kind($1, $2)")
        .bind(kind)
        .bind(max_running.map(count))
        .fetch_one(&mut *conn)
        .await?;
    of_kind(conn, kind, done).await
}

/// Its jobs may be in any queue that somebody serves.
async fn of_kind(conn: &mut PgConnection, kind: &str, done: bool) -> Result<Switched, sqlx::Error> {
    let queues: Vec<String> = sqlx::query_scalar(
        "select distinct q.name || star from queue.worker w, jsonb_object_keys(w.queues) as q(name), unnest(array['', '*']) as star
          where $1 = any(w.kinds)",
    )
    .bind(kind)
    .fetch_all(conn)
    .await?;
    Ok(Switched {
        done,
        wake: Wake::queues(queues),
    })
}

fn count(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
