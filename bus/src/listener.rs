//! Hears NOTIFY on one connection per process, and rebuilds it on any doubt.
//!
//! sqlx's listener can keep a dead connection, and ends on the first error; so this one is thrown away and made
//! again on every error, on a lost connection, and when an echo of its own does not come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt as _;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// How often a quiet connection is asked to echo.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// How long an echo, or a connection, may take.
const PROBE_WITHIN: Duration = Duration::from_secs(3);
/// Notices that a slow subscriber may be behind before it is told of a [`Heard::Gap`].
const CAPACITY: usize = 4_096;

/// What a subscriber hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Somebody notified `payload` on `channel`.
    Notice {
        channel: Arc<str>,
        payload: Arc<str>,
    },
    /// Notices may have been missed (a new connection, or a subscriber that was too slow): look at everything.
    Gap,
}

/// The process's LISTEN connection; clones share it.
#[derive(Debug, Clone)]
pub struct Listener {
    sender: broadcast::Sender<Heard>,
    up: Arc<AtomicBool>,
}

/// One reader of a [`Listener`].
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Heard>,
}

impl Listener {
    /// Starts listening on `channels` until `shutdown` is cancelled. Returns at once; the first [`Heard::Gap`]
    /// says that the connection stands. Needs a direct connection, not one through a transaction pooler.
    pub fn start(
        options: PgConnectOptions,
        channels: &[&str],
        shutdown: CancellationToken,
    ) -> Self {
        let (sender, _) = broadcast::channel(CAPACITY);
        let channels = channels.iter().map(|&c| c.to_owned()).collect();
        let up = Arc::new(AtomicBool::new(false));
        tokio::spawn(listen(
            options.application_name("millrace-listen"),
            channels,
            sender.clone(),
            up.clone(),
            shutdown,
        ));
        Self { sender, up }
    }

    /// A listener that hears nothing, for tests that prove that polling is enough.
    pub fn deaf() -> Self {
        Self {
            sender: broadcast::channel(1).0,
            up: Arc::new(AtomicBool::new(true)),
        }
    }

    /// Whether the connection stands, as far as we know: readers poll more often while it does not.
    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Hears everything from now on.
    pub fn subscribe(&self) -> Subscription {
        Subscription {
            receiver: self.sender.subscribe(),
        }
    }
}

impl Subscription {
    /// Waits for the next notice. Once the listener has ended it waits for ever: pair it with the shutdown token.
    pub async fn next(&mut self) -> Heard {
        match self.receiver.recv().await {
            Ok(heard) => heard,
            Err(RecvError::Lagged(_)) => Heard::Gap,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn listen(
    options: PgConnectOptions,
    channels: Vec<String>,
    sender: broadcast::Sender<Heard>,
    up: Arc<AtomicBool>,
    shutdown: CancellationToken,
) {
    let mut pause = Duration::from_millis(50);
    loop {
        let started = Instant::now();
        let ended = tokio::select! {
            ended = hear(&options, &channels, &sender, &up) => ended,
            () = shutdown.cancelled() => return,
        };
        up.store(false, Ordering::Relaxed);
        if let Err(error) = ended {
            tracing::warn!(%error, "the listening connection was lost; making a new one");
        }
        if started.elapsed() > PROBE_EVERY {
            pause = Duration::from_millis(50);
        }
        let jitter = rand::rng().random_range(0.5..1.5);
        tokio::select! {
            () = sleep(pause.mul_f64(jitter)) => {}
            () = shutdown.cancelled() => return,
        }
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}

/// Listens on one connection until it fails.
async fn hear(
    options: &PgConnectOptions,
    channels: &[String],
    sender: &broadcast::Sender<Heard>,
    up: &AtomicBool,
) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PROBE_WITHIN)
        .connect_lazy_with(options.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    let echo = format!("echo_{}", uuid::Uuid::now_v7().simple());
    listener
        .listen_all(channels.iter().map(String::as_str).chain([echo.as_str()]))
        .await?;
    up.store(true, Ordering::Relaxed);
    // Whatever was notified before this point was not heard.
    let _ = sender.send(Heard::Gap);
    loop {
        let notice = match timeout(PROBE_EVERY, listener.try_recv()).await {
            Ok(notice) => notice?,
            Err(_) => {
                let probe = sqlx::query("select pg_notify($1, '')").bind(&echo);
                timeout(PROBE_WITHIN, probe.execute(&mut listener))
                    .await
                    .map_err(|_| silence())??;
                timeout(PROBE_WITHIN, listener.try_recv())
                    .await
                    .map_err(|_| silence())??
            }
        };
        match notice {
            None => return Ok(()),
            Some(notice) if notice.channel() == echo => {}
            Some(notice) => {
                let _ = sender.send(Heard::Notice {
                    channel: notice.channel().into(),
                    payload: notice.payload().into(),
                });
            }
        }
    }
}

fn silence() -> sqlx::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "its echo did not come back").into()
}
