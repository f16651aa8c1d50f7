//! Takes back the jobs of workers that stopped without an answer. Every worker does it; rows are skipped, not waited for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use millrace_bus::Notifier;
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    State, Wake,
    link::{Link, PATIENCE},
    meter::{self, OTHER},
    slots::Slots,
};

const BATCH: i32 = 200;
/// Each statement looks over all jobs, so they are few and large.
const REGATE: i32 = 10_000;

/// What one sweep did.
#[derive(Debug)]
pub struct Rescued {
    /// The jobs, and what became of them: available, quarantined, discarded or cancelled.
    pub jobs: Vec<(Uuid, State)>,
    /// To be fired.
    pub wake: Wake,
}

/// Takes back up to 200 jobs whose lease has run out: another run, or the end when it crashed too often.
///
/// # Errors
/// Those of the statement.
pub async fn rescue(conn: &mut PgConnection) -> Result<Rescued, sqlx::Error> {
    let rows: Vec<(Option<Uuid>, Option<State>, Option<String>)> =
        sqlx::query_as("select id, state, wake from queue.rescue($1)")
            .bind(BATCH)
            .fetch_all(conn)
            .await?;
    let mut jobs = Vec::new();
    let mut wake = Wake::none();
    for (id, state, queue) in rows {
        if let (Some(id), Some(state)) = (id, state) {
            jobs.push((id, state));
        }
        if let Some(queue) = queue {
            wake.queue(queue);
        }
    }
    Ok(Rescued { jobs, wake })
}

/// Puts jobs behind the gate of their kind or queue that were inserted by whoever did not know of it.
pub(crate) async fn regate(conn: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query_scalar("select queue.regate($1)")
        .bind(REGATE)
        .fetch_one(conn)
        .await
}

/// Counts what was rescued, by queue and kind. What cannot be looked up is counted all the same.
async fn count(link: &mut Link, jobs: &[(Uuid, State)]) {
    if jobs.is_empty() {
        return;
    }
    let ids: Vec<Uuid> = jobs.iter().map(|(id, _)| *id).collect();
    let answer = timeout(PATIENCE, async { labels(link.conn().await?, &ids).await }).await;
    let labels = link.settle(answer).unwrap_or_default();
    for (id, state) in jobs {
        let (queue, kind) = labels
            .get(id)
            .map_or((OTHER, OTHER), |(queue, kind)| (queue, kind));
        meter::rescued(queue, kind, *state);
    }
}

/// The queue and kind of each job, as metrics name them.
async fn labels(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> Result<HashMap<Uuid, (String, String)>, sqlx::Error> {
    let rows: Vec<(Uuid, String, String)> = sqlx::query_as(
        "select j.id, case when q.name is null then 'other' else j.queue end, coalesce(k.kind, 'other')
           from (select id, queue, kind from queue.job where id = any($1)
                 union all select id, queue, kind from queue.history where id = any($1)) as j
           left join queue.kind k on j.kind = k.kind or j.kind = any(k.aliases)
           left join (select queue as name from queue.kind union select name from queue.queue
                      union select jsonb_object_keys(queues) from queue.worker) as q on q.name = j.queue",
    )
    .bind(ids)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, queue, kind)| (id, (queue, kind)))
        .collect())
}

/// Rescues every `every` until `stop`.
pub(crate) async fn rescue_until(
    mut link: Link,
    every: Duration,
    slots: Arc<Slots>,
    notifier: Notifier,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let answer = timeout(PATIENCE, async { rescue(link.conn().await?).await }).await;
        match link.settle(answer) {
            Ok(Rescued { jobs, wake }) => {
                let more = jobs.len() >= BATCH as usize;
                count(&mut link, &jobs).await;
                for (id, state) in jobs {
                    tracing::warn!(job.id = %id, "rescued a job whose worker stopped without an answer; it is {state} now");
                }
                for queue in wake.queue_names() {
                    slots.wake(queue);
                }
                wake.fire(&notifier);
                let answer = timeout(PATIENCE, async { regate(link.conn().await?).await }).await;
                if more || link.settle(answer).is_ok_and(|gated| gated >= REGATE) {
                    continue;
                }
            }
            Err(_) => {
                link.rest(&stop).await;
                continue;
            }
        }
        tokio::select! {
            () = sleep(every) => {}
            () = stop.cancelled() => {}
        }
    }
}
