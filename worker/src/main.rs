//! `millrace-worker`: claims and runs jobs until SIGTERM or Ctrl-C.

use clap::Parser;
use millrace_config::{Config, Queues, start_telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A fifth less processor time than glibc's for a worker of small jobs (tests/bench/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs jobs of Millrace. Start as many as you like; settings come from config/ and MILLRACE__ variables.
#[derive(Debug, Parser)]
#[command(name = "millrace-worker", version)]
struct Arguments {
    /// Queues and slots, such as media=2,default=8. Default: worker.queues.
    #[arg(long)]
    queues: Option<Queues>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace-worker: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut config = Config::load()?;
    if let Some(queues) = arguments.queues {
        config.worker.queues = queues;
    }
    let traces = start_telemetry(&config, "millrace-worker")?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("draining");
        stop.cancel();
    });
    let ended = millrace_worker::run(&config, shutdown).await;
    traces.end().await;
    ended
}
