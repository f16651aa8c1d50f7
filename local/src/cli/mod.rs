//! The command line: one file per command.

#![expect(
    clippy::print_stdout,
    reason = "a command line answers on standard output"
)]

/// `admin`: accounts with rights.
mod admin;
/// `check`: is everything there that Millrace needs?
mod check;
/// `import`: media files of a folder become videos.
mod import;
/// `jobs`: look at jobs and act on them.
mod jobs;
/// `api`, `worker`, `migrate`: the parts by themselves.
mod parts;
/// Stop on Ctrl-C and SIGTERM.
mod stop;
/// `sweep`: what nothing needs any more.
mod sweep;
/// `up`: everything in one process.
mod up;
/// `watch`: a video's progress in the terminal.
mod watch;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use millrace_config::{Config, Queues, start_logging, variable};
use millrace_local::foundation::settings_of_running;
use uuid::Uuid;

/// Millrace: a self-hosted streaming platform.
#[derive(Debug, Parser)]
#[command(name = "millrace", version)]
struct Arguments {
    /// Where `up` keeps its state; other commands find a running stack there.
    #[arg(long, env = "MILLRACE_DATA_DIR", default_value = "data", global = true)]
    data_dir: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything on this machine: database, storage, API, worker, web application.
    Up {
        /// The first of six ports.
        #[arg(long, env = "MILLRACE_PORT", default_value_t = 8080)]
        port: u16,
        /// The bin directory of PostgreSQL, when it is not in a usual place.
        #[arg(long, env = "MILLRACE_PG_BIN")]
        pg_bin: Option<PathBuf>,
    },
    /// Run the API alone.
    Api,
    /// Run a worker alone.
    Worker {
        /// Queues and slots, such as media=2,default=8. Default: worker.queues.
        #[arg(long)]
        queues: Option<Queues>,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Follow something in the terminal.
    #[command(subcommand)]
    Watch(watch::Watch),
    /// Look at jobs and act on them.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Make videos of the media files in a folder. Run again, it goes on where it stopped and imports nothing twice.
    Import(import::Import),
    /// Say whether everything is there that Millrace needs.
    Check,
    /// Manage accounts with rights.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Delete what nothing needs any more.
    #[command(subcommand)]
    Sweep(sweep::Sweep),
}

/// Runs what the command line says.
pub(crate) async fn run() -> anyhow::Result<()> {
    let Arguments { data_dir, command } = Arguments::parse();
    match command {
        Command::Up { port, pg_bin } => up::run(data_dir, port, pg_bin).await,
        Command::Check => check::run(&data_dir).await,
        command => {
            let config = configuration(&data_dir)?;
            // Services start their own, with traces.
            if !matches!(command, Command::Api | Command::Worker { .. }) {
                start_logging(&config.log).context("log.filter")?;
            }
            match command {
                Command::Api => parts::api(config).await,
                Command::Worker { queues } => parts::worker(config, queues).await,
                Command::Migrate => parts::migrate(&config).await,
                Command::Watch(watch) => watch::run(&config, watch).await,
                Command::Jobs(jobs) => jobs::run(&config, jobs).await,
                Command::Import(import) => import::run(&config, import).await,
                Command::Admin(admin) => admin::run(&config, admin).await,
                Command::Sweep(sweep) => sweep::run(&config, sweep).await,
                Command::Up { .. } | Command::Check => Ok(()),
            }
        }
    }
}

/// The configuration; unless the environment leads elsewhere, that of the stack which runs in the data directory.
fn configuration(data_dir: &std::path::Path) -> anyhow::Result<Config> {
    let elsewhere = [
        "MILLRACE_ENV",
        "MILLRACE__DATABASE__URL",
        "MILLRACE__DATABASE__URL_FILE",
    ];
    let running = settings_of_running(data_dir)
        .filter(|_| elsewhere.iter().all(|name| variable(name).is_none()));
    Ok(match running {
        Some(settings) => Config::load_over(settings)?,
        None => Config::load()?,
    })
}

/// A single connection to the configured database.
async fn connect(config: &Config) -> anyhow::Result<sqlx::PgConnection> {
    config
        .require_services()
        .context("no stack runs in the data directory, and none is configured")?;
    let (options, _) =
        millrace_jobs::database_options(config).context("database.url is not an address")?;
    sqlx::ConnectOptions::connect(&options)
        .await
        .context("the database cannot be reached")
}

/// An id from the command line, with or without the page's address around it.
fn id_of(text: &str) -> anyhow::Result<Uuid> {
    let last = text
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(text);
    last.parse()
        .with_context(|| format!("{text:?} is not an id"))
}
