//! `bench_search`: how long it takes to find something among a million videos. One JSON line a kind of question on standard
//! output; what it is at on standard error. It fails when a question made PostgreSQL read a large table from end to end.
//!
//! ```text
//! bench_search [--videos N] [--runs N] [--folder DIR] [ID...]
//! ```
//! The platform is made once and kept in the folder. An id is taken for all that begin with it.

#![expect(clippy::print_stdout, reason = "the measurements go there")]

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result};
use millrace_local::postgres::{Postgres, PostgresOptions};
use millrace_tests::discovery::{self, FIXTURE, SHAPES, Shape, World};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};

struct Wishes {
    ids: Vec<String>,
    videos: u32,
    runs: usize,
    folder: PathBuf,
}

impl Wishes {
    fn read() -> Result<Self> {
        let mut wishes = Self {
            ids: Vec::new(),
            videos: 1_000_000,
            runs: 200,
            folder: "/var/tmp/millrace-bench-search".into(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} wants a value"))
            };
            match word.as_str() {
                "--videos" => {
                    wishes.videos = value()?.parse().context("--videos wants a number")?;
                }
                "--runs" => wishes.runs = value()?.parse().context("--runs wants a number")?,
                "--folder" => wishes.folder = value()?.into(),
                _ => wishes.ids.push(word),
            }
        }
        anyhow::ensure!(wishes.runs > 0, "--runs wants at least 1");
        Ok(wishes)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let wishes = Wishes::read()?;
    std::fs::create_dir_all(&wishes.folder)?;
    let server = Postgres::start(PostgresOptions {
        data_dir: wishes.folder.clone(),
        bin_dir: millrace_config::variable("MILLRACE_PG_BIN").map(Into::into),
        settings: [("shared_buffers", "1GB"), ("max_wal_size", "4GB")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    })
    .await?;
    let measured = measure(&server, &wishes).await;
    server.stop().await;
    let whole = measured?;
    anyhow::ensure!(
        whole.is_empty(),
        "large tables were read whole: {}",
        whole.join("; ")
    );
    Ok(())
}

async fn measure(server: &Postgres, wishes: &Wishes) -> Result<Vec<String>> {
    let db = platform(server, wishes.videos).await?;
    let world = World::look(&db).await?;
    let mut whole = Vec::new();
    for shape in SHAPES {
        let wanted = |id: &String| shape.name.starts_with(id.as_str());
        if wishes.ids.is_empty() || wishes.ids.iter().any(wanted) {
            whole.extend(ask(&db, &world, shape, wishes).await?);
        }
    }
    db.close().await;
    Ok(whole)
}

/// The platform, made unless it is there.
async fn platform(server: &Postgres, videos: u32) -> Result<PgPool> {
    let version = FIXTURE
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let name = format!("search_{videos}_{version:016x}");
    server.create_database(&name).await?;
    let db = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(server.connect_options(&name))
        .await?;
    millrace_jobs::migrate(&db).await.with_context(|| {
        format!(
            "the schema of {name} is another one: delete {}",
            server.folder().display()
        )
    })?;
    eprintln!("making {videos} videos, unless they are there");
    let started = Instant::now();
    discovery::fill(&db, videos).await?;
    eprintln!("there after {:.0} s", started.elapsed().as_secs_f64());
    Ok(db)
}

/// Asks one kind of question many times, each in a transaction that is taken back, and prints how long it took.
async fn ask(db: &PgPool, world: &World, shape: &Shape, wishes: &Wishes) -> Result<Vec<String>> {
    let (mut times, mut answers, mut whole) = (Vec::new(), 0, Vec::new());
    let warm = wishes.runs.min(20);
    for n in 0..warm + wishes.runs {
        let mut tx = db.begin().await?;
        let before = discovery::reads(&mut tx).await?;
        let started = Instant::now();
        answers += (shape.run)(&mut tx, world, n)
            .await
            .with_context(|| shape.name)?;
        let took = started.elapsed();
        if n < warm {
            let after = discovery::reads(&mut tx).await?;
            for table in discovery::read_whole(&before, &after) {
                whole.push(format!("{} reads {table} in its question {n}", shape.name));
            }
        } else {
            times.push(took.as_secs_f64() * 1_000.0);
        }
        tx.rollback().await?;
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        times
            .get(((times.len() - 1) as f64 * share).round() as usize)
            .map_or(0.0, |ms| (ms * 100.0).round() / 100.0)
    };
    println!(
        "{}",
        json!({
            "id": shape.name, "videos": wishes.videos, "runs": times.len(), "p50_ms": at(0.5), "p95_ms": at(0.95), "max_ms": at(1.0),
            "answers": answers / (warm + wishes.runs), "read_whole": whole.len(),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        })
    );
    Ok(whole)
}
