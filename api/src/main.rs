//! The API process of production: `millrace-api` serves, `millrace-api openapi` prints the document.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use millrace_config::{Config, start_telemetry};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

/// The HTTP API of Millrace. Settings come from config/ and MILLRACE__ variables.
#[derive(Debug, Parser)]
#[command(name = "millrace-api", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM or SIGINT (the default).
    Serve,
    /// Prints the OpenAPI document.
    Openapi,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Some(Command::Openapi) => print_document(),
        Some(Command::Serve) | None => serve(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("millrace-api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_document() -> anyhow::Result<()> {
    use std::io::Write as _;
    std::io::stdout().write_all(millrace_api::document()?.as_bytes())?;
    Ok(())
}

fn serve() -> anyhow::Result<()> {
    let config = Config::load()?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let traces = start_telemetry(&config, "millrace-api")?;
        let address = config.server.listen;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("server.listen: cannot listen on {address}"))?;
        let shutdown = CancellationToken::new();
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let asked = shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            asked.cancel();
        });
        let served = millrace_api::run(config, listener, shutdown).await;
        traces.end().await;
        served
    })
}
