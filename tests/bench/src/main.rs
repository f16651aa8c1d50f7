//! `bench_queue`: how fast the engine is, beside plain SQL and its peers on the same server in the same rounds. One JSON
//! line a figure on standard output; what it is at on standard error.
//!
//! ```text
//! bench_queue [--runs N] [--quick] [--dir FOLDER] [ID...]
//! ```
//! Without ids, everything. An id is taken for all that begin with it. README.md says what each figure means.

#![expect(clippy::print_stdout, reason = "the figures go there")]

/// The PostgreSQL server that everything runs against.
mod cluster;
/// Contestants that take turns, and the figures that come of it.
mod contest;
/// `drain_*`: how fast a full queue is emptied.
mod drain;
/// `complete_in_tx`: jobs that commit their effect with their completion.
mod effect;
/// `enqueue_*`: how fast jobs are inserted.
mod enqueue;
/// What is in the tables when a run begins.
mod fixture;
/// What plain SQL over a bare table reaches.
mod floor;
/// `idle_*`: what a worker without work costs.
mod idle;
/// The kinds of jobs.
mod kinds;
/// `limits_1000_keys`: what limits and fairness cost.
mod limits;
/// Processor time, and whether the machine is ours.
mod machine;
/// Graphile Worker and apalis-postgres.
mod peers;
/// A program that is measured.
mod program;
/// `scale_4_workers`: whether more workers do more.
mod scale;
/// `held_snapshot`: throughput while dead rows cannot be removed.
mod snapshot;
/// `start_*`: from the enqueue to the handler.
mod start;
/// What the command line asks for.
mod wishes;
/// A worker process of ours.
mod worker;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{cluster::Cluster, contest::Figure, wishes::Wishes};

/// What our binaries have.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What every measurement needs.
struct Bench {
    cluster: Cluster,
    wishes: Wishes,
}

/// What is measured together.
#[derive(Debug, Clone, Copy)]
enum Group {
    Drain,
    Scale,
    Enqueue,
    Start,
    Effect,
    Limits,
    Snapshot,
    Idle,
}

impl Group {
    /// From the quickest to those that take minutes a run; the last one restarts the server.
    const ALL: [Self; 8] = [
        Self::Drain,
        Self::Scale,
        Self::Enqueue,
        Self::Effect,
        Self::Limits,
        Self::Start,
        Self::Snapshot,
        Self::Idle,
    ];

    fn ids(self) -> &'static [&'static str] {
        match self {
            Self::Drain => &drain::IDS,
            Self::Scale => &scale::IDS,
            Self::Enqueue => &enqueue::IDS,
            Self::Start => &start::IDS,
            Self::Effect => &effect::IDS,
            Self::Limits => &limits::IDS,
            Self::Snapshot => &snapshot::IDS,
            Self::Idle => &idle::IDS,
        }
    }

    async fn measure(self, bench: &mut Bench) -> Result<Vec<Figure>> {
        match self {
            Self::Drain => drain::measure(bench).await,
            Self::Scale => scale::measure(bench).await,
            Self::Enqueue => enqueue::measure(bench).await,
            Self::Start => start::measure(bench).await,
            Self::Effect => effect::measure(bench).await,
            Self::Limits => limits::measure(bench).await,
            Self::Snapshot => snapshot::measure(bench).await,
            Self::Idle => idle::measure(bench).await,
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    // The measured programs are this one again, so that each has a process of its own.
    let part = words.next_if(|word| {
        [worker::PART, floor::DRAIN, floor::LISTEN, floor::EFFECT].contains(&word.as_str())
    });
    if let Some(part) = part {
        let spec = words.next().context("no specification")?;
        return match part.as_str() {
            worker::PART => worker::run(serde_json::from_str(&spec)?).await,
            floor::DRAIN => floor::drain(serde_json::from_str(&spec)?).await,
            floor::LISTEN => floor::listen(serde_json::from_str(&spec)?).await,
            _ => floor::effect(serde_json::from_str(&spec)?).await,
        };
    }
    let wishes = Wishes::read(words)?;
    if wishes.quick {
        machine::hurry();
    }
    let cluster = Cluster::start(&wishes.folder()?).await?;
    let mut bench = Bench { cluster, wishes };
    let mut told = signal(SignalKind::terminate())?;
    let done = tokio::select! {
        done = bench.run() => done,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        _ = told.recv() => Err(anyhow::anyhow!("terminated")),
    };
    bench.cluster.stop().await?;
    done
}

impl Bench {
    /// Measures what is wished for. What fails is named at the end, and costs the others nothing.
    async fn run(&mut self) -> Result<()> {
        let mut failed = Vec::new();
        for group in Group::ALL {
            if !group.ids().iter().any(|id| self.wishes.want(id)) {
                continue;
            }
            eprintln!("{group:?}");
            match group.measure(self).await {
                Ok(figures) => {
                    for figure in figures.iter().filter(|figure| self.wishes.want(figure.id)) {
                        println!("{}", figure.line(&self.cluster.settings()));
                    }
                }
                Err(error) => {
                    eprintln!("{group:?} failed: {error:?}");
                    failed.push(group);
                }
            }
        }
        anyhow::ensure!(failed.is_empty(), "not measured: {failed:?}");
        Ok(())
    }
}
