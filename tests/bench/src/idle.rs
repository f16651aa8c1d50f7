//! `idle_*`: what one worker of five queues costs while there is nothing to do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    Bench,
    cluster::Cluster,
    contest::{Figure, median},
    fixture, machine,
    program::Program,
    worker::{self, Spec},
};

pub(crate) const IDS: [&str; 2] = ["idle_statements_per_s", "idle_core_percent"];

const SECONDS: u64 = 60;
/// A minute each.
const ROUNDS: usize = 2;
/// The aims, with which the figures are compared in place of a peer.
const AIMS: (f64, f64) = (5.0, 0.5);

struct Idle {
    statements: f64,
    percent: f64,
    /// Of the server, for the same worker.
    server_percent: f64,
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    // Counts statements, which costs a little and is therefore off in all other measurements.
    bench
        .cluster
        .restart_with("-c shared_preload_libraries=pg_stat_statements -c compute_query_id=on")
        .await?;
    let seconds = bench.wishes.scaled(SECONDS).max(20);
    let mut runs = Vec::new();
    for _ in 0..bench.wishes.runs.min(ROUNDS) {
        let idle = watch(&bench.cluster, seconds).await?;
        eprintln!(
            "  {:.2} statements/s, {:.2} % of a core, {:.2} % in the server",
            idle.statements, idle.percent, idle.server_percent
        );
        runs.push(idle);
    }
    let server: Vec<f64> = runs.iter().map(|idle| idle.server_percent).collect();
    let settings = json!({"seconds": seconds, "queues": 5, "base": "the aim", "server_core_percent": median(&server)});
    let statements: Vec<_> = runs.iter().map(|idle| (idle.statements, AIMS.0)).collect();
    let percents: Vec<_> = runs.iter().map(|idle| (idle.percent, AIMS.1)).collect();
    Ok(vec![
        Figure::new(IDS[0], &statements, settings.clone()),
        Figure::new(IDS[1], &percents, settings),
    ])
}

async fn watch(cluster: &Cluster, seconds: u64) -> Result<Idle> {
    let db = fixture::engine(cluster).await?;
    fixture::clear(&db).await?;
    let spec = Spec {
        url: db.url.clone(),
        queues: ["one", "two", "three", "four", "five"]
            .map(|name| (name.to_owned(), 8))
            .into(),
        deaf: false,
        pool: 1,
    };
    let mut program = Program::own(worker::PART, &spec)?;
    program.ready().await?;
    program.go().await?;
    // Read from another database, so that the worker's statements are all that there are in its own.
    let observer = cluster.database("postgres");
    observer
        .sql("create extension if not exists pg_stat_statements")
        .await?;
    let mut conn = observer.conn().await?;
    let name = db
        .options
        .get_database()
        .context("a database has a name")?
        .to_owned();
    // What a start costs is no part of it.
    sleep(Duration::from_secs(5)).await;
    let used = |pid| machine::of_process(pid).context("no processor time is known here");
    sqlx::query("select pg_stat_statements_reset()")
        .execute(&mut conn)
        .await?;
    let watch = machine::Watch::start(cluster.pid()?);
    let (began, before) = (Instant::now(), used(program.pid()?)?);
    sleep(Duration::from_secs(seconds)).await;
    let after = used(program.pid()?)?;
    let elapsed = began.elapsed().as_secs_f64();
    let usage = watch.stop();
    let calls: i64 = sqlx::query_scalar(
        "select coalesce(sum(s.calls), 0)::bigint from pg_stat_statements s join pg_database d on d.oid = s.dbid
          where d.datname = $1",
    )
    .bind(name)
    .fetch_one(&mut conn)
    .await?;
    program.end().await?;
    Ok(Idle {
        statements: calls as f64 / elapsed,
        percent: 100.0 * (after - before) / elapsed,
        server_percent: 100.0 * usage.server / elapsed,
    })
}
