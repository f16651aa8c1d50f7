//! `held_snapshot`: 800 jobs a second for three minutes while another session holds its snapshot, so that no dead row can
//! be removed: a report, a backup or a forgotten transaction does that. Where every claim steps over all that died since,
//! it is the end of a queue; others lose a third of their throughput in these three minutes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_bus::Notifier;
use millrace_queue::enqueue_all;
use serde_json::json;
use sqlx::PgConnection;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{
    Bench,
    cluster::{Cluster, Database},
    contest::{Figure, Sample, take_turns},
    fixture,
    kinds::{Noop, QUEUE},
    machine::{Watch, quiet},
    program::Program,
    worker::{self, Said, Spec, now},
};

pub(crate) const IDS: [&str; 1] = ["held_snapshot"];

const RATE: u64 = 800;
const SECONDS: u64 = 180;
/// Three minutes each, twice a round.
const ROUNDS: usize = 1;
/// Jobs come in packs this often.
const EVERY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Held,
    Free,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let seconds = bench.wishes.scaled(SECONDS);
    let db = fixture::engine(&bench.cluster).await?;
    let results = take_turns(
        bench.wishes.runs.min(ROUNDS),
        [Who::Held, Who::Free],
        async |who| {
            fixture::clear(&db).await?;
            fixture::settle(&db, "queue.job").await?;
            let mut holder = db.conn().await?;
            if who == Who::Held {
                sqlx::raw_sql(
                    "begin isolation level repeatable read; select count(*) from queue.job",
                )
                .execute(&mut holder)
                .await?;
            }
            stream(&bench.cluster, &db, seconds).await
        },
    )
    .await;
    let more = |who| {
        ["p50_ms", "p99_ms", "last_s_p99_ms"].map(|name| {
            let figure = results.figure_of(IDS[0], (who, Some(name)), (who, Some(name)), json!({}));
            figure.line(&json!({}))["value"].clone()
        })
    };
    let settings = json!({
        "unit": "jobs/s", "offered": RATE, "seconds": seconds, "base": "the same without the session",
        "wait_ms_p50_p99_p99_of_the_last_10_s": more(Who::Held), "the_same_of_base": more(Who::Free),
    });
    Ok(vec![results.figure(IDS[0], Who::Held, Who::Free, settings)])
}

/// Enqueues at the rate, and counts what was finished by the end.
async fn stream(cluster: &Cluster, db: &Database, seconds: u64) -> Result<Sample> {
    let spec = Spec {
        url: db.url.clone(),
        queues: vec![(QUEUE.to_owned(), 100)],
        deaf: false,
        pool: 1,
    };
    let mut program = Program::own(worker::PART, &spec)?;
    program.ready().await?;
    program.go().await?;
    quiet().await;
    let stop = CancellationToken::new();
    let notifier = Notifier::start(db.options.clone(), stop.clone());
    let mut conn = db.conn().await?;
    let watch = Watch::start(cluster.pid()?);
    let (began, began_at) = (Instant::now(), now());
    let end = began + Duration::from_secs(seconds);
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut sent: u64 = 0;
    while Instant::now() < end {
        // What the worker says is read all the while: a full pipe would stop it, after some 100 s.
        tokio::select! {
            _ = tick.tick() => {}
            said = program.next::<Said>() => {
                said?.context("the worker ended")?;
                continue;
            }
        }
        let due = (began.elapsed().as_secs_f64() * RATE as f64) as u64;
        put(&mut conn, &notifier, sent..due.min(RATE * seconds)).await?;
        sent = due.max(sent);
    }
    let (finished, p50, p99, last): (i64, Option<f64>, Option<f64>, Option<f64>) = sqlx::query_as(
        "select count(*), percentile_cont(0.5) within group (order by wait), percentile_cont(0.99) within group (order by wait),
                percentile_cont(0.99) within group (order by wait) filter (where created_at > to_timestamp($1 + $2 - 10))
           from (select created_at, 1000 * extract(epoch from started_at - created_at)::float8 as wait
                   from queue.history where finished_at between to_timestamp($1) and to_timestamp($1 + $2)) as h",
    )
    .bind(began_at)
    .bind(seconds as f64)
    .fetch_one(&mut db.conn().await?)
    .await?;
    program.end().await?;
    stop.cancel();
    Ok(Sample {
        value: finished as f64 / seconds as f64,
        usage: watch.stop(),
        // Nothing where nothing ended.
        more: [("p50_ms", p50), ("p99_ms", p99), ("last_s_p99_ms", last)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect(),
    })
}

async fn put(
    conn: &mut PgConnection,
    notifier: &Notifier,
    numbers: std::ops::Range<u64>,
) -> Result<()> {
    let jobs: Vec<_> = numbers.map(|n| Noop::job(n as i64)).collect();
    if !jobs.is_empty() {
        enqueue_all(conn, jobs).await?.wake.fire(notifier);
    }
    Ok(())
}
