//! A worker to be killed, frozen and cut off: the engine with the harness's kinds, and an audit.

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Result;
use clap::Parser;
use millrace_bus::Notifier;
use millrace_faults::{
    kinds::{Bench, registry},
    record::{Audit, Fact},
    stall::watch_clock,
};
use millrace_queue::{Engine, EngineOptions};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

/// A worker of the fault harness.
#[derive(Debug, Clone, Parser)]
struct Options {
    #[arg(long)]
    name: String,
    /// The port of its proxy.
    #[arg(long)]
    port: u16,
    #[arg(long)]
    database: String,
    /// The folder of the audit.
    #[arg(long)]
    audit: PathBuf,
    #[arg(long, default_value_t = 8)]
    slots: usize,
    #[arg(long, default_value_t = 4)]
    pool: u32,
    #[arg(long, default_value_t = 3000)]
    lease_ms: u64,
    #[arg(long, default_value_t = 500)]
    beat_ms: u64,
    #[arg(long, default_value_t = 6000)]
    drain_ms: u64,
    /// By how much its clock is ahead, in microseconds, so that its audit can be right.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    ahead_us: i64,
    /// Hears no notifications.
    #[arg(long)]
    deaf: bool,
    /// Behind a PgBouncer, which says for it who it is.
    #[arg(long)]
    pooled: bool,
    /// The mistake to make.
    #[arg(long)]
    mutant: Option<String>,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .init();
    let options = Options::parse();
    if let Some(name) = &options.mutant {
        switch_on(name)?;
    }
    let shutdown = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn({
        let shutdown = shutdown.clone();
        async move {
            terminate.recv().await;
            shutdown.cancel();
        }
    });
    let audit = Arc::new(Audit::open(
        &options.audit,
        &options.name,
        options.ahead_us,
    )?);
    tokio::spawn(watch_clock(audit.clone()));
    let Some(engine) = start(&options, audit.clone(), &shutdown).await else {
        return Ok(ExitCode::SUCCESS);
    };
    audit.write(Fact::Up);
    let drained = engine.run(shutdown).await;
    audit.write(Fact::Drained {
        stopped: drained.stopped,
        clean: drained.clean,
    });
    Ok(if drained.broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Starts the engine, however often the database is away. `None` when it was told to stop meanwhile.
async fn start(
    options: &Options,
    audit: Arc<Audit>,
    shutdown: &CancellationToken,
) -> Option<Engine<Bench>> {
    let mut connect = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(options.port)
        .username("postgres")
        .database(&options.database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("handlers");
    if !options.pooled {
        connect = connect.options([("faults.who", &options.name)]);
    }
    while !shutdown.is_cancelled() {
        let pool = PgPoolOptions::new()
            .max_connections(options.pool)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(connect.clone());
        let notifier = Notifier::start(connect.clone(), shutdown.clone());
        let queues = vec![("default".to_owned(), options.slots)];
        let mut settings = EngineOptions::new(pool.clone(), connect.clone(), queues, notifier);
        settings.lease = Duration::from_millis(options.lease_ms);
        settings.heartbeat = Duration::from_millis(options.beat_ms);
        settings.poll = Duration::from_millis(500);
        settings.rescue = Duration::from_millis(500);
        settings.drain_timeout = Duration::from_millis(options.drain_ms);
        settings.worker_name = options.name.clone();
        settings.deaf = options.deaf;
        let bench = Bench {
            pool,
            audit: audit.clone(),
        };
        match Engine::start(settings, registry(), bench).await {
            Ok(engine) => return Some(engine),
            Err(error) => {
                tracing::warn!(%error, "cannot start yet");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    None
}

#[cfg(feature = "mutants")]
fn switch_on(name: &str) -> Result<()> {
    anyhow::ensure!(
        millrace_queue::mutant::switch_on(name),
        "there is no mutant called {name}"
    );
    Ok(())
}

#[cfg(not(feature = "mutants"))]
fn switch_on(name: &str) -> Result<()> {
    anyhow::bail!("{name}: built without mutants")
}
