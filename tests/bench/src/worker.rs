//! A worker process of ours: the engine as any program uses it, with handlers that do next to nothing.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;
use millrace_bus::Notifier;
use millrace_queue::{Done, Engine, EngineOptions, Limit, Registry, Wake};
use serde::{Deserialize, Serialize};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    kinds::{AT_ONCE, Effect, Noop, Pause, Stamp, TENANT},
    program,
};

/// Its name on the command line.
pub(crate) const PART: &str = "worker";

/// How often it looks for work when nobody notifies: the engine's default.
pub(crate) const POLL: Duration = Duration::from_secs(1);
/// How long a [`Pause`] waits.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);
/// How often the parent hears how many jobs ran. It only decides by that when to end, never how fast it was.
const REPORT: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) url: String,
    /// The queues and their slots.
    pub(crate) queues: Vec<(String, usize)>,
    /// Hears no NOTIFY.
    pub(crate) deaf: bool,
    /// Connections for handlers.
    pub(crate) pool: u32,
}

/// What it says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// So many handlers were started.
    Ran(u64),
    /// The handler of this [`Stamp`] was started at this time, in seconds since 1970.
    Started(i64, f64),
}

/// What handlers share.
#[derive(Clone)]
struct Shared {
    pool: PgPool,
    ran: Arc<AtomicU64>,
}

/// Works until its input ends.
pub(crate) async fn run(spec: Spec) -> Result<()> {
    let options: PgConnectOptions = spec.url.parse()?;
    let pool = PgPoolOptions::new()
        .min_connections(spec.pool)
        .max_connections(spec.pool)
        // As Millrace's own workers have it: a connection that was just used is not asked for a sign of life.
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await?;
    let stop = CancellationToken::new();
    let notifier = Notifier::start(options.clone(), stop.clone());
    let shared = Shared {
        pool: pool.clone(),
        ran: Arc::default(),
    };
    let mut settings = EngineOptions::new(pool, options, spec.queues, notifier);
    settings.deaf = spec.deaf;
    settings.poll = POLL;
    let engine = Engine::start(settings, registry(), shared.clone()).await?;
    let mut orders = program::ready().await?;
    let (ran, told) = (shared.ran, stop.clone());
    let reports = tokio::spawn(async move {
        let mut tick = interval(REPORT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = 0;
        while !told.is_cancelled() {
            tick.tick().await;
            let now = ran.load(Ordering::Relaxed);
            if now > last && program::say(&Said::Ran(now)).is_err() {
                return;
            }
            last = now;
        }
    });
    let ending = stop.clone();
    tokio::spawn(async move {
        while let Ok(Some(_)) = orders.next_line().await {}
        ending.cancel();
    });
    let drained = engine.run(stop).await;
    reports.await?;
    anyhow::ensure!(drained.clean && !drained.broken, "{drained:?}");
    // The reader of the input may still sit in a read that nobody can take back.
    std::process::exit(0)
}

fn registry() -> Registry<Shared> {
    Registry::new()
        .limit(Limit::new(TENANT).at_once(AT_ONCE))
        .register::<Noop>(|_noop, _run, shared: Shared| {
            shared.ran.fetch_add(1, Ordering::Relaxed);
            Box::pin(async { Ok(Done::Completed) })
        })
        .register::<Pause>(|_pause, _run, shared: Shared| {
            Box::pin(async move {
                sleep(PAUSE).await;
                shared.ran.fetch_add(1, Ordering::Relaxed);
                Ok(Done::Completed)
            })
        })
        .register::<Stamp>(|stamp, _run, _shared| {
            let said = program::say(&Said::Started(stamp.id, now()));
            Box::pin(async move {
                said?;
                Ok(Done::Completed)
            })
        })
        .register::<Effect>(|_effect, run, shared: Shared| {
            Box::pin(async move {
                let done = run
                    .complete(&shared.pool, async |tx| {
                        sqlx::query("insert into bench.effect (job) values ($1)")
                            .bind(run.id)
                            .execute(tx)
                            .await?;
                        Ok::<_, sqlx::Error>(Wake::none())
                    })
                    .await;
                shared.ran.fetch_add(1, Ordering::Relaxed);
                done
            })
        })
}

/// Seconds since 1970, by the one clock that all processes of the machine share.
pub(crate) fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
