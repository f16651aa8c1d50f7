//! How fast the engine drains no-op jobs, and enqueues them: `DATABASE_URL=… cargo run --release --example drain [jobs]`.
//! Makes a database of its own and drops it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use millrace_bus::Notifier;
use millrace_queue::{Done, Engine, EngineOptions, Kind, NewJob, Registry, enqueue_all, migrate};
use serde::{Deserialize, Serialize};
use sqlx::{
    AssertSqlSafe, ConnectOptions,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

#[derive(Serialize, Deserialize)]
struct Nothing {
    n: u64,
}

impl Kind for Nothing {
    const KIND: &'static str = "nothing";
    const QUEUE: &'static str = "default";
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "an example has no configuration")]
    let url = std::env::var("DATABASE_URL")?;
    let jobs: u64 = std::env::args().nth(1).map_or(Ok(200_000), |n| n.parse())?;
    let admin: PgConnectOptions = url.parse()?;
    let mut conn = admin.connect().await?;
    let name = format!("queue_drain_{}", std::process::id());
    sqlx::query(AssertSqlSafe(format!("create database {name}")))
        .execute(&mut conn)
        .await?;
    let measured = measure(admin.clone().database(&name), jobs).await;
    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
        .execute(&mut conn)
        .await?;
    measured
}

async fn measure(options: PgConnectOptions, jobs: u64) -> anyhow::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .connect_with(options.clone())
        .await?;
    migrate(&pool).await?;
    let started = Instant::now();
    let mut conn = pool.acquire().await?;
    for from in (0..jobs).step_by(1_000) {
        let batch = (from..jobs.min(from + 1_000))
            .map(|n| NewJob::new(&Nothing { n }))
            .collect();
        drop(enqueue_all(&mut conn, batch).await?);
    }
    say("enqueued by the thousand", jobs, started.elapsed());
    sqlx::query("vacuum analyze queue.job")
        .execute(&mut *conn)
        .await?;
    drop(conn);

    let ran = Arc::new(AtomicU64::new(0));
    let all = Arc::new(Notify::new());
    let registry = Registry::new().register::<Nothing>({
        let (ran, all) = (ran.clone(), all.clone());
        move |_nothing, _run, ()| {
            if ran.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
                all.notify_one();
            }
            Box::pin(async { Ok(Done::Completed) })
        }
    });
    let queues = vec![("default".to_owned(), 2_000)];
    let settings = EngineOptions::new(pool.clone(), options, queues, Notifier::silent());
    let engine = Engine::start(settings, registry, ()).await?;
    let stop = CancellationToken::new();
    let started = Instant::now();
    let running = tokio::spawn(engine.run(stop.clone()));
    all.notified().await;
    stop.cancel();
    running.await?;
    say("drained", jobs, started.elapsed());
    let kept: i64 =
        sqlx::query_scalar("select count(*) from queue.history where state = 'completed'")
            .fetch_one(&pool)
            .await?;
    anyhow::ensure!(
        u64::try_from(kept)? == jobs,
        "{kept} of {jobs} are in the history"
    );
    pool.close().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example speaks to its user")]
fn say(what: &str, jobs: u64, took: Duration) {
    println!(
        "{what}: {jobs} in {:.2} s, {:.0}/s",
        took.as_secs_f64(),
        jobs as f64 / took.as_secs_f64()
    );
}
