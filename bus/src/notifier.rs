//! Sends NOTIFY in batches on a connection of its own.
//!
//! A NOTIFY inside a transaction takes a cluster-wide lock through the WAL flush of that commit, which ends group
//! commit for everybody. So nobody notifies in a business transaction: processes collect what is dirty, and one
//! task flushes it, at once after a quiet time and then at most every [`FLUSH_EVERY`], with asynchronous commit.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// The least time between two flushes. 15 ms: a reader that waits for the next one still has its news within a
/// frame, and a busy process sends 66 notifying commits a second instead of thousands.
const FLUSH_EVERY: Duration = Duration::from_millis(15);
/// How many different notices wait while the database is away; beyond, they are dropped and readers poll.
const CAPACITY: usize = 10_000;
/// The longest payload that PostgreSQL takes is 7,999 bytes.
const LONGEST: usize = 7_999;

type Notice = (String, String);

/// A handle to the process's notifier; clones share it.
#[derive(Debug, Clone)]
pub struct Notifier {
    dirty: Arc<Dirty>,
}

#[derive(Debug, Default)]
struct Dirty {
    notices: Mutex<HashSet<Notice>>,
    bell: Notify,
}

impl Notifier {
    /// Starts the flushing task, which ends when `shutdown` is cancelled, after a last flush.
    /// The connection is made when first needed and made again whenever it fails.
    pub fn start(options: PgConnectOptions, shutdown: CancellationToken) -> Self {
        let dirty = Arc::new(Dirty::default());
        let options = options.application_name("millrace-notify");
        tokio::spawn(flush(dirty.clone(), options, shutdown));
        Self { dirty }
    }

    /// A notifier that tells nobody: readers find everything by their poll. For tests and one-off commands.
    pub fn silent() -> Self {
        Self {
            dirty: Arc::new(Dirty::default()),
        }
    }

    /// Asks for `payload` on `channel`; equal notices of one flush are sent once. Never blocks and never fails:
    /// a notice that is lost costs its readers the wait for their poll.
    pub fn notify(&self, channel: &str, payload: &str) {
        if payload.len() > LONGEST {
            tracing::warn!(
                channel,
                bytes = payload.len(),
                "dropped a notice that is too long"
            );
            return;
        }
        {
            let mut notices = self
                .dirty
                .notices
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if notices.len() >= CAPACITY {
                return;
            }
            notices.insert((channel.to_owned(), payload.to_owned()));
        }
        self.dirty.bell.notify_one();
    }
}

async fn flush(dirty: Arc<Dirty>, options: PgConnectOptions, shutdown: CancellationToken) {
    let mut conn: Option<PgConnection> = None;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = dirty.bell.notified() => {}
            () = shutdown.cancelled() => break,
        }
        sleep_until(next).await;
        send(&dirty, &options, &mut conn).await;
        next = Instant::now() + FLUSH_EVERY;
    }
    send(&dirty, &options, &mut conn).await;
}

async fn send(dirty: &Dirty, options: &PgConnectOptions, conn: &mut Option<PgConnection>) {
    let notices: Vec<Notice> = {
        let mut set = dirty.notices.lock().unwrap_or_else(PoisonError::into_inner);
        set.drain().collect()
    };
    if notices.is_empty() {
        return;
    }
    if let Err(error) = try_send(&notices, options, conn).await {
        tracing::warn!(%error, "could not notify; readers poll until it works again");
        *conn = None;
        {
            // Old news does no harm when it arrives late; what was added meanwhile is sent with it.
            let mut set = dirty.notices.lock().unwrap_or_else(PoisonError::into_inner);
            set.extend(notices);
        }
        dirty.bell.notify_one();
        // A dead database must not be hammered.
        sleep(Duration::from_millis(200)).await;
    }
}

async fn try_send(
    notices: &[Notice],
    options: &PgConnectOptions,
    slot: &mut Option<PgConnection>,
) -> Result<(), sqlx::Error> {
    let conn = match slot {
        Some(conn) => conn,
        None => {
            let mut conn = options.connect().await?;
            // Fast commits lose at most a hint in a crash, and every hint is backed by a poll. Not as a parameter of the
            // connection's start, which PgBouncer refuses.
            sqlx::query("set synchronous_commit = off")
                .execute(&mut conn)
                .await?;
            slot.insert(conn)
        }
    };
    let (channels, payloads): (Vec<&str>, Vec<&str>) = notices
        .iter()
        .map(|(c, p)| (c.as_str(), p.as_str()))
        .unzip();
    let query =
        sqlx::query("select pg_notify(c, p) from unnest($1::text[], $2::text[]) as n(c, p)")
            .bind(&channels)
            .bind(&payloads)
            .execute(conn);
    // A black-holed connection would hold every later notice back.
    match tokio::time::timeout(Duration::from_secs(5), query).await {
        Ok(done) => done.map(drop),
        Err(_) => Err(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "the statement took too long",
        )
        .into()),
    }
}
