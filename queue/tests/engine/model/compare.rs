//! Whether all is as it should be.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use millrace_queue::State;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::world::World;

/// A job as it is.
#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Seen {
    id: Uuid,
    state: State,
    attempt: i32,
    crash_count: i32,
    run_no: i32,
    pending: i32,
    priority: i16,
    n: Json<i64>,
    token: Option<Uuid>,
}

/// Every job is once where it should be, and every key and dependency.
pub(super) async fn compare(conn: &mut PgConnection, world: &World) -> Result<()> {
    let mut seen: Vec<Seen> = sqlx::query_as(
        "select id, state, attempt, crash_count, run_no, pending, priority, args -> 'n' as n, token from queue.job
         union all
         select id, state, attempt, crash_count, run_no, 0, priority, args -> 'n', null from queue.history",
    )
    .fetch_all(&mut *conn)
    .await?;
    seen.sort_by_key(|job| job.id);
    let mut expected: Vec<Seen> = world
        .jobs
        .iter()
        .map(|job| Seen {
            id: job.id,
            state: job.state,
            attempt: job.attempt,
            crash_count: job.crashes,
            run_no: job.run_no,
            pending: i32::try_from(job.parents.len()).unwrap_or(i32::MAX),
            priority: job.priority,
            n: Json(job.n),
            token: job.token,
        })
        .collect();
    expected.sort_by_key(|job| job.id);
    ensure!(
        seen.len() == expected.len(),
        "{} jobs, not {}",
        seen.len(),
        expected.len()
    );
    for (seen, expected) in seen.iter().zip(&expected) {
        ensure!(seen == expected, "{seen:?}\nbut should be\n{expected:?}");
    }
    let keys: BTreeMap<String, Uuid> = sqlx::query_as(
        "select key, job_id from queue.unique_key where expires_at is null or expires_at > clock_timestamp()",
    )
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let held: BTreeMap<String, Uuid> = world
        .held()
        .into_iter()
        .map(|(key, id)| (key.to_owned(), id))
        .collect();
    ensure!(keys == held, "keys {keys:?}, not {held:?}");
    let edges: i64 = sqlx::query_scalar("select count(*) from queue.dependency")
        .fetch_one(conn)
        .await?;
    let parents: usize = world.jobs.iter().map(|job| job.parents.len()).sum();
    ensure!(
        edges == i64::try_from(parents)?,
        "{edges} dependencies, not {parents}"
    );
    Ok(())
}
