//! What is measured by looking, not by counting: how much garbage the store holds.

use std::time::Duration;

use millrace_domain::sweeps;
use sqlx::PgPool;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Nobody acts on these within a minute.
const EVERY: Duration = Duration::from_secs(60);

/// Looks every minute until `shutdown`. Two reads of small tables; every worker says the same.
pub(crate) async fn keep(db: PgPool, shutdown: CancellationToken) {
    metrics::describe_gauge!(
        "millrace_orphan_objects",
        "objects without a row that the last sweep found"
    );
    metrics::describe_gauge!("millrace_orphan_bytes", "their bytes");
    metrics::describe_gauge!(
        "millrace_doomed_objects",
        "prefixes whose objects wait for their deletion"
    );
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        if let Err(error) = look(&db).await {
            // The database's own troubles are told elsewhere; the gauges keep what they last showed.
            tracing::debug!(%error, "could not look at the sweeps");
        }
    }
}

async fn look(db: &PgPool) -> Result<(), sqlx::Error> {
    if let Some(last) = sweeps::last(db).await? {
        metrics::gauge!("millrace_orphan_objects").set(last.orphans.objects as f64);
        metrics::gauge!("millrace_orphan_bytes").set(last.orphans.bytes as f64);
    }
    let doomed = sweeps::doomed_count(db).await?;
    metrics::gauge!("millrace_doomed_objects").set(doomed as f64);
    Ok(())
}
