//! `start_*`: from before the enqueue to the start of the handler in another process, while the queue is idle. The pauses
//! between two jobs are random, so that no interval of ours is met in step.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result};
use millrace_bus::Notifier;
use millrace_queue::enqueue;
use rand::RngExt as _;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    Bench,
    cluster::Cluster,
    contest::{Figure, Sample, quantile, take_turns},
    fixture, floor,
    kinds::{QUEUE, Stamp},
    machine::{Watch, quiet},
    program::Program,
    worker::{self, Said, Spec, now},
};

pub(crate) const IDS: [&str; 3] = ["start_p50_ms", "start_p99_ms", "start_p99_ms_notify_dead"];

const SAMPLES: u64 = 500;
/// Half a minute each; more rounds would change little.
const ROUNDS: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours,
    /// Without NOTIFY: by polling alone.
    OursDeaf,
    /// LISTEN and fetch, and nothing else.
    Bare,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let wishes = &bench.wishes;
    let samples = wishes.scaled(SAMPLES);
    let mut contestants = Vec::new();
    if wishes.want(IDS[0]) || wishes.want(IDS[1]) {
        contestants.extend([Who::Ours, Who::Bare]);
    }
    if wishes.want(IDS[2]) {
        contestants.push(Who::OursDeaf);
    }
    let results = take_turns(
        wishes.runs.min(ROUNDS),
        contestants,
        async |who| match who {
            Who::Ours | Who::OursDeaf => ours(&bench.cluster, samples, who == Who::OursDeaf).await,
            Who::Bare => bare(&bench.cluster, samples).await,
        },
    )
    .await;
    let settings = json!({"unit": "ms", "samples": samples, "base": "bare LISTEN and fetch"});
    let mut figures = Vec::new();
    if wishes.want(IDS[0]) || wishes.want(IDS[1]) {
        for (id, name) in [(IDS[0], "p50"), (IDS[1], "p99")] {
            let more = Some(name);
            figures.push(results.figure_of(
                id,
                (Who::Ours, more),
                (Who::Bare, more),
                settings.clone(),
            ));
        }
    }
    if wishes.want(IDS[2]) {
        let settings = json!({"unit": "ms", "samples": samples, "base": "the poll interval"});
        figures.push(results.figure_of(
            IDS[2],
            (Who::OursDeaf, Some("p99")),
            (Who::OursDeaf, Some("poll")),
            settings,
        ));
    }
    Ok(figures)
}

/// A worker of ours with the usual settings.
async fn ours(cluster: &Cluster, samples: u64, deaf: bool) -> Result<Sample> {
    let db = fixture::engine(cluster).await?;
    fixture::clear(&db).await?;
    fixture::settle(&db, "queue.job").await?;
    let spec = Spec {
        url: db.url.clone(),
        queues: vec![(QUEUE.to_owned(), 8)],
        deaf,
        pool: 1,
    };
    let mut program = Program::own(worker::PART, &spec)?;
    program.ready().await?;
    program.go().await?;
    let stop = CancellationToken::new();
    let notifier = Notifier::start(db.options.clone(), stop.clone());
    let mut conn = db.conn().await?;
    let enqueue_one = async |id: i64| {
        enqueue(&mut conn, Stamp::job(id))
            .await?
            .wake
            .fire(&notifier);
        anyhow::Ok(())
    };
    let mut sample = watched(cluster, program, samples, !deaf, enqueue_one).await?;
    stop.cancel();
    sample
        .more
        .insert("poll", worker::POLL.as_secs_f64() * 1000.0);
    Ok(sample)
}

async fn bare(cluster: &Cluster, samples: u64) -> Result<Sample> {
    let (program, db) = floor::start_listening(cluster).await?;
    let mut conn = db.conn().await?;
    watched(cluster, program, samples, true, async |id| {
        floor::enqueue(&mut conn, id).await
    })
    .await
}

/// Enqueues at random times, and compares with what the program says. Where `one_by_one`, each is awaited before the
/// next; without NOTIFY each would take half a second, and since they do not disturb each other, nobody waits.
async fn watched(
    cluster: &Cluster,
    mut program: Program,
    samples: u64,
    one_by_one: bool,
    mut enqueue: impl AsyncFnMut(i64) -> Result<()>,
) -> Result<Sample> {
    quiet().await;
    let watch = Watch::start(cluster.pid()?);
    let samples = i64::try_from(samples)?;
    let mut sent = HashMap::new();
    let mut started = HashMap::new();
    // The first few find cold caches and connections that are still being made.
    for id in -10..samples {
        sent.insert(id, now());
        enqueue(id).await?;
        while one_by_one && !started.contains_key(&id) {
            hear(&mut program, &mut started).await?;
        }
        sleep(Duration::from_micros(
            rand::rng().random_range(25_000..75_000),
        ))
        .await;
    }
    while started.len() < sent.len() {
        hear(&mut program, &mut started).await?;
    }
    program.end().await?;
    let waits: Vec<f64> = sent
        .iter()
        .filter(|(id, _)| **id >= 0)
        .filter_map(|(id, at)| Some((started.get(id)? - at) * 1000.0))
        .collect();
    let p = |share| quantile(&waits, share);
    Ok(Sample {
        value: p(0.5),
        usage: watch.stop(),
        more: [
            ("p50", p(0.5)),
            ("p95", p(0.95)),
            ("p99", p(0.99)),
            ("max", p(1.0)),
        ]
        .into(),
    })
}

async fn hear(program: &mut Program, started: &mut HashMap<i64, f64>) -> Result<()> {
    let said = timeout(Duration::from_secs(10), program.next::<Said>()).await;
    match said.context("a job is not started")?? {
        Some(Said::Started(id, at)) => {
            started.insert(id, at);
        }
        Some(Said::Ran(_)) => {}
        None => anyhow::bail!("the worker ended"),
    }
    Ok(())
}
