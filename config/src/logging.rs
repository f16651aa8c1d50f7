//! Logs, as `[log]` says, and the traces beside them.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    EnvFilter, Layer,
    filter::{ParseError, Targets},
    fmt,
    prelude::*,
    registry::LookupSpan,
};

use crate::{Config, ConfigError, Log, LogFormat, Traces};

/// Sends the process's logs to standard error. Once per process; a second call changes nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn start_logging(log: &Log) -> Result<(), ParseError> {
    let filter: EnvFilter = log.filter.parse()?;
    // An error here means that a subscriber is set already, as in tests.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines(log.format))
        .try_init();
    Ok(())
}

/// [`start_logging`], and what a service traces goes to the collector, if one is configured. Within a tokio runtime.
///
/// # Errors
/// A filter or an address that cannot be read.
pub fn start_telemetry(config: &Config, service: &'static str) -> Result<Traces, ConfigError> {
    let refuse = |error: ParseError| ConfigError::Invalid {
        key: "log.filter",
        problem: error.to_string(),
    };
    let traces = Traces::start(&config.telemetry, service)?;
    let Some(tracer) = traces.tracer() else {
        start_logging(&config.log).map_err(refuse)?;
        return Ok(traces);
    };
    let filter: EnvFilter = config.log.filter.parse().map_err(refuse)?;
    // Spans that are made for traces, and what went wrong within them.
    let traced = Targets::new()
        .with_target("otel::tracing", LevelFilter::TRACE)
        .with_target("millrace", LevelFilter::WARN);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_target(false)
        .with_threads(false)
        .with_tracked_inactivity(false);
    let _ = tracing_subscriber::registry()
        .with(layer.with_filter(traced))
        .with(lines(config.log.format).with_filter(filter))
        .try_init();
    Ok(traces)
}

/// What writes the lines.
fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span>,
{
    match format {
        LogFormat::Text => fmt::layer()
            .with_target(false)
            .with_writer(std::io::stderr)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(true)
            .with_writer(std::io::stderr)
            .boxed(),
    }
}
