//! `drain_*`: how fast a full queue is emptied.
//!
//! Of ours, from the first claim to the last acknowledgement by the server's clock, as the rows themselves say: the first
//! `started_at` and the last `finished_at`. Of the peers, from the first handler to the end of the worker.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::{task::JoinSet, time::timeout};

use crate::{
    Bench,
    cluster::{Cluster, Database},
    contest::{Figure, Sample, take_turns},
    fixture, floor,
    kinds::{Noop, QUEUE},
    machine::{Watch, quiet},
    peers::{Apalis, Graphile},
    program::Program,
    worker::{self, Said, Spec},
};

pub(crate) const IDS: [&str; 6] = [
    "drain_vs_floor",
    "drain_vs_graphile",
    "drain_2_vs_graphile_2",
    "drain_vs_apalis",
    "drain_backlog_1m",
    "drain_history_10m",
];

/// Jobs a run.
const JOBS: u64 = 200_000;
/// apalis-postgres slows down the more of them wait (14 k/s of 50 k, 9 k/s of 200 k): its best is a smaller load.
const JOBS_OF_APALIS: u64 = 50_000;
const BACKLOG: u64 = 1_000_000;
const HISTORY: u64 = 10_000_000;
/// Free places of one worker: two claims may be at work and one on its way.
pub(crate) const SLOTS: usize = 2_000;
/// Nothing takes so long.
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours,
    OursTwice,
    OursWithBacklog,
    OursWithHistory,
    Floor,
    Graphile,
    GraphileTwice,
    Apalis,
}

/// Which contestants a figure compares.
fn pair(id: &str) -> (Who, Who) {
    match id {
        "drain_vs_floor" => (Who::Ours, Who::Floor),
        "drain_vs_graphile" => (Who::Ours, Who::Graphile),
        "drain_2_vs_graphile_2" => (Who::OursTwice, Who::GraphileTwice),
        "drain_vs_apalis" => (Who::Ours, Who::Apalis),
        "drain_backlog_1m" => (Who::OursWithBacklog, Who::Ours),
        _ => (Who::OursWithHistory, Who::Ours),
    }
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let (cluster, wishes) = (&bench.cluster, &bench.wishes);
    let wanted: Vec<&'static str> = IDS.into_iter().filter(|id| wishes.want(id)).collect();
    let contestants: Vec<Who> = wanted
        .iter()
        .flat_map(|id| [pair(id).0, pair(id).1])
        .collect();
    let (jobs, backlog) = (wishes.scaled(JOBS), wishes.scaled(BACKLOG));
    let engine = fixture::engine(cluster).await?;
    let history = match contestants.contains(&Who::OursWithHistory) {
        true => Some(fixture::history(cluster, wishes.scaled(HISTORY)).await?),
        false => None,
    };
    let results = take_turns(wishes.runs, contestants, async |who| match who {
        Who::Ours | Who::OursTwice => {
            fixture::fill::<Noop>(&engine, jobs).await?;
            let workers = if who == Who::Ours { 1 } else { 2 };
            ours(cluster, &engine, workers, SLOTS, jobs).await
        }
        Who::OursWithBacklog => {
            fixture::fill::<Noop>(&engine, jobs + backlog).await?;
            ours(cluster, &engine, 1, SLOTS, jobs).await
        }
        Who::OursWithHistory => {
            let history = history.as_ref().context("it was made")?;
            fixture::fill::<Noop>(history, jobs).await?;
            ours(cluster, history, 1, SLOTS, jobs).await
        }
        Who::Floor => floor::measure_drain(cluster, jobs).await,
        Who::Graphile => Graphile::drain(cluster, 1, jobs).await,
        Who::GraphileTwice => Graphile::drain(cluster, 2, jobs).await,
        Who::Apalis => Apalis::drain(cluster, wishes.scaled(JOBS_OF_APALIS)).await,
    })
    .await;
    let figures = wanted.into_iter().map(|id| {
        let (value, base) = pair(id);
        let mut settings = json!({"unit": "jobs/s", "jobs": jobs, "slots": SLOTS, "batch": [1000, 2000]});
        let more = match base {
            _ if value == Who::OursWithBacklog => json!({"backlog": backlog}),
            _ if value == Who::OursWithHistory => json!({"history": wishes.scaled(HISTORY)}),
            Who::Floor => json!({"base": "bare table, 1 fetcher, 1 acker, batches of 500"}),
            Who::Graphile => json!({"base": "graphile-worker 24/500/0, 1 process"}),
            Who::GraphileTwice => json!({"base": "graphile-worker 24/500/0, 2 processes", "workers": 2}),
            _ => json!({"base": "apalis-postgres batch 1000, no locking", "jobs_of_base": wishes.scaled(JOBS_OF_APALIS)}),
        };
        if let (Some(settings), Some(more)) = (settings.as_object_mut(), more.as_object()) {
            settings.extend(more.clone());
        }
        results.figure(id, value, base, settings)
    });
    Ok(figures.collect())
}

/// Lets `workers` processes of ours run the jobs of `db` until `jobs` are done; all of them, or the first of more.
pub(crate) async fn ours(
    cluster: &Cluster,
    db: &Database,
    workers: usize,
    slots: usize,
    jobs: u64,
) -> Result<Sample> {
    ours_with(cluster, db, workers, slots, jobs, 1).await
}

/// The same, with so many connections for the handlers of each.
pub(crate) async fn ours_with(
    cluster: &Cluster,
    db: &Database,
    workers: usize,
    slots: usize,
    jobs: u64,
    pool: u32,
) -> Result<Sample> {
    let spec = Spec {
        url: db.url.clone(),
        queues: vec![(QUEUE.to_owned(), slots)],
        deaf: false,
        pool,
    };
    let mut programs = Vec::new();
    for _ in 0..workers {
        programs.push(Program::own(worker::PART, &spec)?);
    }
    for program in &mut programs {
        program.ready().await?;
    }
    quiet().await;
    let watch = Watch::start(cluster.pid()?);
    let began = worker::now();
    for program in &mut programs {
        program.go().await?;
    }
    timeout(PATIENCE, run_until(programs, jobs))
        .await
        .context("the queue is not emptied")??;
    let usage = watch.stop();
    let mut conn = db.conn().await?;
    let (done, seconds): (i64, f64) = sqlx::query_as(
        "select count(*), extract(epoch from max(finished_at) - min(started_at))::float8
           from queue.history where finished_at >= to_timestamp($1) and state = 'completed'",
    )
    .bind(began)
    .fetch_one(&mut conn)
    .await?;
    let (left, running): (i64, i64) =
        sqlx::query_as("select count(*), count(*) filter (where state = 'running') from queue.job")
            .fetch_one(&mut conn)
            .await?;
    let done = u64::try_from(done)?;
    anyhow::ensure!(
        done >= jobs,
        "only {done} of {jobs} jobs are in the history"
    );
    anyhow::ensure!(
        running == 0,
        "{running} of the {left} jobs left are without a worker"
    );
    Ok(Sample {
        value: done as f64 / seconds,
        usage,
        ..Sample::default()
    })
}

/// Listens until the programs have run `jobs` together, then ends them.
async fn run_until(programs: Vec<Program>, jobs: u64) -> Result<()> {
    let enough = tokio_util::sync::CancellationToken::new();
    let (sender, mut counts) = tokio::sync::mpsc::unbounded_channel();
    let mut listeners = JoinSet::new();
    for (number, mut program) in programs.into_iter().enumerate() {
        let (sender, enough) = (sender.clone(), enough.clone());
        listeners.spawn(async move {
            loop {
                tokio::select! {
                    said = program.next::<Said>() => match said? {
                        Some(Said::Ran(ran)) => { let _ = sender.send((number, ran)); }
                        Some(Said::Started(..)) => {}
                        None => break,
                    },
                    () = enough.cancelled() => break,
                }
            }
            program.end().await
        });
    }
    drop(sender);
    let mut ran = std::collections::HashMap::new();
    while let Some((number, count)) = counts.recv().await {
        ran.insert(number, count);
        if ran.values().sum::<u64>() >= jobs {
            break;
        }
    }
    enough.cancel();
    while let Some(ended) = listeners.join_next().await {
        ended??;
    }
    Ok(())
}
