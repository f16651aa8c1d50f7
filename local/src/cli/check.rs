//! `check`: is everything there that Millrace needs?

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use millrace_config::Config;
use millrace_domain::{
    media::Protection,
    mediaconvert::{MediaConvert, MediaConvertOptions},
    storage::Storage,
};
use millrace_local::postgres::Binaries;
use sqlx::PgConnection;
use tokio::process::Command;
use tokio::time::timeout;

/// A dependency that takes longer to answer is as good as absent.
const WITHIN: Duration = Duration::from_secs(10);

/// Checks everything and says each result; fails when anything fails.
pub(super) async fn run(data_dir: &Path) -> anyhow::Result<()> {
    let config = super::configuration(data_dir)?;
    println!("ok    configuration");
    let mut failed = 0;
    let mut report = |name: &str, result: anyhow::Result<String>| match result {
        Ok(found) => println!("ok    {name}: {found}"),
        Err(error) => {
            failed += 1;
            println!("FAIL  {name}: {error:#}");
        }
    };
    report("ffmpeg", ffmpeg(&config).await);
    report("ffprobe", version(&config.media.ffprobe).await);
    // What is missing here is a weakness, not a failure, unless the configuration asks for it.
    match within(millrace_worker::protections(&config)).await {
        Ok(all) => {
            for Protection { name, active, text } in all {
                println!(
                    "{}  sandbox, {name}: {text}",
                    if active { "ok  " } else { "warn" }
                );
            }
        }
        Err(error) => report("sandbox", Err(error)),
    }
    report("web application", web(&config));
    if config.database.url.is_empty() {
        println!(
            "      no stack runs in {}; checking what `millrace up` needs",
            data_dir.display()
        );
        report(
            "PostgreSQL",
            Binaries::find(None)
                .map(|found| found.folder.display().to_string())
                .map_err(Into::into),
        );
    } else {
        report("database", within(database(&config)).await);
        report("storage", within(storage(&config)).await);
    }
    if let Some(options) = millrace_jobs::converter_options(&config) {
        report("MediaConvert", within(mediaconvert(options)).await);
    }
    match failed {
        0 => Ok(()),
        1 => bail!("one check failed"),
        _ => bail!("{failed} checks failed"),
    }
}

async fn within<T>(check: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    timeout(WITHIN, check)
        .await
        .map_err(|_| anyhow!("no answer within {} s", WITHIN.as_secs()))?
}

async fn version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program).arg("-version").output().await;
    let output = output.with_context(|| format!("{} cannot be run", program.display()))?;
    ensure!(
        output.status.success(),
        "{} -version failed",
        program.display()
    );
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .split_whitespace()
        .nth(2)
        .unwrap_or("unknown version")
        .to_owned())
}

/// The version of an ffmpeg that can do what is asked of it.
pub(super) async fn ffmpeg(config: &Config) -> anyhow::Result<String> {
    let found = version(&config.media.ffmpeg).await?;
    let encoders = Command::new(&config.media.ffmpeg)
        .args(["-hide_banner", "-encoders"])
        .output()
        .await?;
    let encoders = String::from_utf8_lossy(&encoders.stdout).into_owned();
    for needed in ["libx264", "aac"] {
        let there = encoders
            .lines()
            .any(|line| line.split_whitespace().nth(1) == Some(needed));
        ensure!(there, "this build has no encoder {needed}");
    }
    Ok(found)
}

fn web(config: &Config) -> anyhow::Result<String> {
    let page = config.web.dir.join("index.html");
    ensure!(
        page.is_file(),
        "{} does not exist: run `make build`",
        page.display()
    );
    Ok(config.web.dir.display().to_string())
}

async fn database(config: &Config) -> anyhow::Result<String> {
    let mut db: PgConnection = super::connect(config).await?;
    let number: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(&mut db)
        .await?;
    ensure!(
        number >= 150_000,
        "PostgreSQL 15 or newer is needed, this is {}",
        number / 10_000
    );
    let schema: bool = sqlx::query_scalar(
        "select to_regclass('queue.job') is not null and to_regclass('videos') is not null",
    )
    .fetch_one(&mut db)
    .await?;
    ensure!(schema, "the schema is missing: run `millrace migrate`");
    Ok(format!(
        "PostgreSQL {}.{}",
        number / 10_000,
        number % 10_000
    ))
}

async fn mediaconvert(options: MediaConvertOptions) -> anyhow::Result<String> {
    let region = options.region.clone();
    MediaConvert::new(options).check().await?;
    Ok(region)
}

async fn storage(config: &Config) -> anyhow::Result<String> {
    Storage::new(&millrace_jobs::storage_options(config))
        .check()
        .await?;
    Ok(format!("bucket {}", config.storage.bucket))
}
