//! `api`, `worker`, `migrate`: the parts by themselves.

use anyhow::Context as _;
use millrace_config::{Config, Queues, start_telemetry};
use sqlx::postgres::PgPoolOptions;

use super::stop;

/// Runs the API until it is told to stop.
pub(super) async fn api(config: Config) -> anyhow::Result<()> {
    let traces = start_telemetry(&config, "millrace-api")?;
    let listener = tokio::net::TcpListener::bind(config.server.listen).await;
    let listener = listener
        .with_context(|| format!("cannot listen on {} (server.listen)", config.server.listen))?;
    let ended = millrace_api::run(config, listener, stop::on_signal()?).await;
    traces.end().await;
    ended
}

/// Runs a worker until it is told to stop.
pub(super) async fn worker(mut config: Config, queues: Option<Queues>) -> anyhow::Result<()> {
    let traces = start_telemetry(&config, "millrace-worker")?;
    if let Some(queues) = queues {
        config.worker.queues = queues;
    }
    // Another worker beside the one of `up` must not fight for its port.
    if std::net::TcpListener::bind(config.worker.health_listen).is_err() {
        config.worker.health_listen.set_port(0);
    }
    let ended = millrace_worker::run(&config, stop::on_signal()?).await;
    traces.end().await;
    ended
}

/// Brings the schema up to date.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<()> {
    config.require_services()?;
    let (options, _) =
        millrace_jobs::database_options(config).context("database.url is not an address")?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    let pool = pool.context("the database cannot be reached")?;
    millrace_jobs::migrate(&pool)
        .await
        .context("a migration failed")?;
    pool.close().await;
    println!("The schema is up to date.");
    Ok(())
}
