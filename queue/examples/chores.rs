//! A worker with two kinds, a limit and a schedule, and a chain of jobs to begin with:
//! `DATABASE_URL=postgres://... cargo run --example chores`

use std::time::Duration;

use millrace_bus::Notifier;
use millrace_queue::{
    Done, Engine, EngineOptions, Kind, Limit, NewJob, OrOutcome as _, Registry, Schedule,
    UniqueKey, enqueue_all, migrate,
};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPool};
use tokio_util::sync::CancellationToken;

/// Fetches a page; no more than two of one host at a time.
#[derive(Serialize, Deserialize)]
struct Fetch {
    host: String,
    page: u32,
}

impl Kind for Fetch {
    const KIND: &'static str = "fetch";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u16 = 5;
    const TIMEOUT: Duration = Duration::from_secs(30);
}

/// Says what there is.
#[derive(Serialize, Deserialize)]
struct Report;

impl Kind for Report {
    const KIND: &'static str = "report";
    const QUEUE: &'static str = "default";
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    #[expect(clippy::disallowed_methods, reason = "an example has no settings")]
    let url = std::env::var("DATABASE_URL")?;
    let options: PgConnectOptions = url.parse()?;
    let pool = PgPool::connect_with(options.clone()).await?;
    migrate(&pool).await?;
    let shutdown = CancellationToken::new();
    let notifier = Notifier::start(options.clone(), shutdown.clone());

    let registry = Registry::new()
        .register(|fetch: Fetch, run, ()| {
            Box::pin(async move {
                (fetch.page < 100)
                    .then_some(())
                    .or_fail("there are 100 pages")?;
                for percent in [20, 40, 60, 80, 100_u8] {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    run.progress(percent.into(), "fetching");
                }
                tracing::info!("fetched page {} of {}", fetch.page, fetch.host);
                Ok(Done::CompletedWith(serde_json::json!({ "bytes": 1234 })))
            })
        })
        .register(|_: Report, run, ()| {
            Box::pin(async move {
                tracing::info!("reporting, attempt {}", run.attempt);
                Ok(Done::Completed)
            })
        })
        .limit(Limit::new("host").at_once(2))
        .schedule(Schedule::new("report", "*/5 * * * * *", &Report).zone("Asia/Taipei"));
    let worker = EngineOptions::new(
        pool.clone(),
        options,
        vec![("default".to_owned(), 8)],
        notifier.clone(),
    );
    let engine = Engine::start(worker, registry, ()).await?;

    let pages: Vec<NewJob> = (1..=6)
        .map(|page| Fetch {
            host: "example.org".to_owned(),
            page,
        })
        .map(|fetch| NewJob::new(&fetch).limit_key(format!("host:{}", fetch.host)))
        .collect();
    let report = NewJob::new(&Report)
        .when_ended(&pages)
        .unique(UniqueKey::until_done("report of example.org"));
    let mut tx = pool.begin().await?;
    let all = pages.into_iter().chain([report]).collect();
    let enqueued = enqueue_all(&mut tx, all).await?;
    tx.commit().await?;
    enqueued.wake.fire(&notifier);

    let stop = shutdown.clone();
    tokio::spawn(async move {
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
    });
    engine.run(shutdown).await;
    Ok(())
}
