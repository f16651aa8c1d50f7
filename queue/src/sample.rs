//! What waits and what ended, sampled for metrics and dashboards by one worker at a time.

use std::{collections::HashSet, time::Duration};

use sqlx::PgConnection;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    State,
    link::{Link, PATIENCE},
};

/// The least time between two samples.
const EVERY: Duration = Duration::from_secs(2);
/// How long after its end another worker takes over.
const OTHERS: Duration = Duration::from_secs(5);
/// A sample may cost this share of the time: a long backlog is looked at less often.
const SHARE: u32 = 50;
/// The advisory lock of the one that samples; held by its connection, so it passes on when that ends.
const SAMPLER: i64 = 0x6d69_6c6c_7175_6575;

/// Samples until `stop`, whenever no other worker does.
pub(crate) async fn sample_until(mut link: Link, stop: CancellationToken) {
    let mut shown = HashSet::new();
    while !stop.is_cancelled() {
        let begun = Instant::now();
        let answer = timeout(PATIENCE, async {
            sample(link.conn().await?, &mut shown).await
        })
        .await;
        let pause = match link.settle(answer) {
            Ok(true) => (begun.elapsed() * SHARE).max(EVERY),
            // Another one does it; when it is gone, somebody should soon.
            Ok(false) => OTHERS,
            Err(_) => {
                link.rest(&stop).await;
                continue;
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// A gauge: queue, kind and state.
type Place = (String, String, State);

/// Takes a sample, unless another worker does; says whether it did. `shown` are the gauges that are not at zero.
async fn sample(conn: &mut PgConnection, shown: &mut HashSet<Place>) -> Result<bool, sqlx::Error> {
    let ours: bool = sqlx::query_scalar(
        "select exists (select from pg_locks
                         where locktype = 'advisory' and pid = pg_backend_pid() and granted
                           and (classid::bigint << 32) | objid::bigint = $1)
             or pg_try_advisory_lock($1)",
    )
    .bind(SAMPLER)
    .fetch_one(&mut *conn)
    .await?;
    if !ours {
        // It shows what we showed, as soon as it has looked.
        for place in shown.drain() {
            show(&place, 0.0, None);
        }
        return Ok(false);
    }
    sqlx::query("select queue.sample_depth(), queue.fold_tallies()")
        .execute(&mut *conn)
        .await?;
    // Rows may name any queue and kind; labels are those that a worker, a kind or an operator has made known.
    let rows: Vec<(String, String, State, i64, Option<f64>)> = sqlx::query_as(
        "with kinds as (select unnest(kind || aliases) as name, kind from queue.kind),
              queues as (select queue as name from queue.kind union select name from queue.queue
                         union select jsonb_object_keys(queues) from queue.worker)
         select coalesce(q.name, 'other'), coalesce(k.kind, 'other'), d.state, sum(d.n)::bigint,
                extract(epoch from clock_timestamp() - min(d.oldest_due))::float8
           from queue.depth d
           left join kinds k on k.name = d.kind
           left join queues q on q.name = d.queue
          group by 1, 2, 3",
    )
    .fetch_all(conn)
    .await?;
    let mut gone = std::mem::take(shown);
    for (queue, kind, state, n, age) in rows {
        let place = (queue, kind, state);
        show(&place, n as f64, age);
        gone.remove(&place);
        shown.insert(place);
    }
    for place in &gone {
        show(place, 0.0, None);
    }
    Ok(true)
}

fn show((queue, kind, state): &Place, n: f64, age: Option<f64>) {
    let labels = [
        ("queue", queue.clone()),
        ("kind", kind.clone()),
        ("state", state.as_str().to_owned()),
    ];
    metrics::gauge!("queue_jobs", &labels).set(n);
    // What runs is not waited for any more.
    if matches!(
        state,
        State::Available | State::Scheduled | State::Retryable
    ) {
        metrics::gauge!("queue_oldest_due_seconds", &labels).set(age.unwrap_or(0.0));
    }
}
