//! Logs, as `[log]` says.

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

use crate::{Log, LogFormat};

/// Sends the process's logs to standard error. Once per process; a second call changes nothing.
///
/// # Errors
/// A filter that cannot be read.
pub fn start_logging(log: &Log) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter: EnvFilter = log.filter.parse()?;
    let registry = tracing_subscriber::registry().with(filter);
    // An error here means that a subscriber is set already, as in tests.
    let _ = match log.format {
        LogFormat::Text => registry
            .with(fmt::layer().with_target(false).with_writer(std::io::stderr))
            .try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(true)
                    .with_writer(std::io::stderr),
            )
            .try_init(),
    };
    Ok(())
}
