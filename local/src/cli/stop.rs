//! Stop on Ctrl-C and SIGTERM; a second one does not wait for anything.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT or SIGTERM. The second ends the process at once, with the usual code of
/// a process that was interrupted.
///
/// # Errors
/// The system refuses signal handlers.
pub(super) fn on_signal() -> anyhow::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    );
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        stopped.cancel();
        next().await;
        eprintln!("millrace: stopped at once; PostgreSQL follows by itself");
        std::process::exit(130);
    });
    Ok(stop)
}
