//! A machine that has no time for a process must not be taken for a mistake of the engine: whoever is late by himself, or
//! waits for the database although nothing was done to it, says so.

use std::{sync::Arc, time::Duration};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{Instant, interval, timeout};

use crate::record::{Audit, Fact};

const EVERY: Duration = Duration::from_millis(100);
/// Being late by less is no excuse: a lease of three seconds survives it.
const LATE: Duration = Duration::from_millis(400);

/// Notes when this process is late, for ever.
pub async fn watch_clock(audit: Arc<Audit>) {
    let mut ticks = interval(EVERY);
    let mut last = Instant::now();
    loop {
        ticks.tick().await;
        note(&audit, last.elapsed().saturating_sub(EVERY));
        last = Instant::now();
    }
}

/// Notes when a commit takes long on a direct connection, for ever.
pub(crate) async fn watch_database(audit: Arc<Audit>, database: PgConnectOptions) {
    let mut ticks = interval(EVERY);
    let mut conn: Option<PgConnection> = None;
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        let answer = timeout(Duration::from_secs(5), commit(&mut conn, &database)).await;
        if !matches!(answer, Ok(Ok(()))) {
            conn = None;
        }
        note(&audit, asked.elapsed());
    }
}

async fn commit(
    slot: &mut Option<PgConnection>,
    database: &PgConnectOptions,
) -> Result<(), sqlx::Error> {
    let conn = match slot {
        Some(conn) => conn,
        None => slot.insert(database.connect().await?),
    };
    sqlx::query("update faults.pulse set at = clock_timestamp()")
        .execute(conn)
        .await?;
    Ok(())
}

fn note(audit: &Audit, late: Duration) {
    if late > LATE {
        let ms = i64::try_from(late.as_millis()).unwrap_or(i64::MAX);
        audit.write(Fact::Stalled { ms });
    }
}
