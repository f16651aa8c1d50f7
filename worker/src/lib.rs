//! How and where work runs: one process that claims jobs of its queues, runs them, and drains when told to stop.

/// What must be there before work can begin.
mod dependencies;
/// How much garbage the store holds.
mod gauges;
/// Health and metrics on a port of their own.
mod health;
/// Claims no media work while disk or memory is short.
mod room;
/// Where sources and open segments lie.
mod work_dir;

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use millrace_bus::Notifier;
use millrace_config::{Config, Encoder};
use millrace_domain::{
    media::{FfmpegOptions, FfmpegTranscoder, LimitOptions, MediaUser, Protection, Transcoder},
    mediaconvert::MediaConvert,
};
use millrace_jobs::{
    Post, ServiceOptions, Services, converter_options, database_options, kinds, operate,
    payment_provider, pool_options,
};
use millrace_queue::{Engine, EngineOptions};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use room::Room;
use work_dir::WorkDir;

pub use dependencies::Dependencies;

/// Runs a worker until `shutdown`, then drains: running jobs may finish within `worker.drain_timeout`, and what is
/// left is given back without a charged attempt.
///
/// # Errors
/// One line that says what is missing: a setting, the database, the store, ffmpeg, the schema, a free port.
pub async fn run(config: &Config, shutdown: CancellationToken) -> anyhow::Result<()> {
    config.require_services()?;
    // The recorder, before anything is counted.
    millrace_config::metrics();
    let (pooled, direct) = database_options(config).context("database.url is not an address")?;
    let pool = pool_options(config).connect_lazy_with(pooled.application_name("millrace-worker"));
    let post = Post::of(config).context("email.smtp_url, email.from")?;
    let work_dir = WorkDir::claim(&config.media.work_dir);
    let ffmpeg = Arc::new(transcoder(config, work_dir.path())?);
    let transcoder: Arc<dyn Transcoder> = ffmpeg.clone();
    let converter = converter_options(config).map(MediaConvert::new);
    let payments = payment_provider(config).context("payments")?;
    let convert = config.transcoder.kind == Encoder::MediaConvert;
    let needed = converter.clone().filter(|_| convert);
    let dependencies = Dependencies::new(pool.clone(), config, transcoder.clone(), needed);
    if !dependencies
        .await_all(config.worker.wait_for_dependencies, &shutdown)
        .await?
    {
        return Ok(());
    }
    say_protections(&ffmpeg).await;
    if post.is_none() {
        tracing::info!("email.smtp_url is not set: no mail is sent");
    }
    // Stops what helps jobs, after the jobs.
    let helpers = CancellationToken::new();
    let _stop_helpers = helpers.clone().drop_guard();
    let notifier = Notifier::start(direct.clone(), helpers.clone());
    let options = ServiceOptions {
        db: pool.clone(),
        storage: dependencies.storage().clone(),
        transcoder,
        converter,
        convert,
        payments,
        public_url: config.server.public_url.to_string(),
        notifier: notifier.clone(),
        post,
        work_dir: work_dir.path().to_owned(),
        source_cache: config.media.source_cache,
    };
    let services = Services::start(options, helpers.clone())
        .with_context(|| format!("cannot use {} as media.work_dir", work_dir.path().display()))?;
    let room = Room::new(&config.media, work_dir.path(), services.clone());
    let health =
        health::Health::bind(config.worker.health_listen, dependencies, room.state()).await?;
    let health = tokio::spawn(health.run(helpers.clone()));
    let gauges = tokio::spawn(gauges::keep(pool.clone(), helpers.clone()));
    let engine = Engine::start(
        engine_options(config, pool.clone(), direct, notifier),
        kinds::registry(),
        services,
    )
    .await?;
    // Looked at once before anything is claimed.
    let room = tokio::spawn(room.keep(engine.holds(), helpers.clone()).await);
    tracing::info!(queues = ?config.worker.queues.0, "the worker is running");
    let drained = engine.run(shutdown).await;
    helpers.cancel();
    health.await.context("the health server panicked")?;
    gauges.await.context("the gauges panicked")?;
    room.await
        .context("the watch over disk and memory panicked")?;
    pool.close().await;
    anyhow::ensure!(
        !drained.broken,
        "a loop of the engine ended by itself; the log says which"
    );
    tracing::info!(
        running = drained.running,
        stopped = drained.stopped,
        "the worker has stopped"
    );
    Ok(())
}

fn engine_options(
    config: &Config,
    pool: PgPool,
    listen_options: sqlx::postgres::PgConnectOptions,
    notifier: Notifier,
) -> EngineOptions {
    let worker = &config.worker;
    let named = worker.queues.0.iter();
    let mut queues: Vec<(String, usize)> = named
        .map(|(name, slots)| (name.clone(), usize::from(*slots)))
        .collect();
    if queues.iter().all(|(name, _)| name != operate::QUEUE) {
        queues.push((operate::QUEUE.to_owned(), 1));
    }
    EngineOptions {
        lease: worker.lease,
        heartbeat: worker.heartbeat,
        poll: worker.poll,
        drain_timeout: worker.drain_timeout,
        worker_name: name(config),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..EngineOptions::new(pool, listen_options, queues, notifier)
    }
}

fn name(config: &Config) -> String {
    if !config.worker.name.is_empty() {
        return config.worker.name.clone();
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}-{}", host.trim(), std::process::id())
}

fn transcoder(config: &Config, work_dir: &std::path::Path) -> anyhow::Result<FfmpegTranscoder> {
    let media = &config.media;
    // Only root can become somebody else; without it ffmpeg runs as whoever started the worker.
    let user = if nix::unistd::geteuid().is_root() {
        let found = nix::unistd::User::from_name(&media.user).ok().flatten();
        let found =
            found.with_context(|| format!("media.user: there is no user {}", media.user))?;
        Some(MediaUser {
            uid: found.uid.as_raw(),
            gid: found.gid.as_raw(),
        })
    } else {
        None
    };
    Ok(FfmpegTranscoder::new(FfmpegOptions {
        ffmpeg: media.ffmpeg.clone(),
        ffprobe: media.ffprobe.clone(),
        user,
        threads: threads(config),
        preset: media.preset.clone(),
        limits: LimitOptions {
            factor: media.limit_factor,
            memory: media.memory_limit,
            pixels: media.max_gigapixels * 1e9,
        },
        require_sandbox: media.require_sandbox,
        work_dir: work_dir.join("encodes"),
    })?)
}

/// The threads of an encoder: what the settings say, or the share of the cores that each media job has when all of them
/// encode. With 2 slots on 2 cores, one thread each makes a 3-minute 1080p video in 132 s where two each, which take turns
/// on the same cores, need 137 s (`make bench-media`).
fn threads(config: &Config) -> u32 {
    if config.media.threads > 0 {
        return config.media.threads;
    }
    let queues = &config.worker.queues.0;
    let slots = queues.iter().find(|(queue, _)| queue == room::QUEUE);
    let slots = slots.map_or(1, |(_, slots)| u32::from(*slots).max(1));
    let cores =
        std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    (cores / slots).max(1)
}

/// What protects this machine from what people upload, and what does not, as `media` says.
///
/// # Errors
/// The media user or the working directory is missing, or the sandbox is required and does not work.
pub async fn protections(config: &Config) -> anyhow::Result<Vec<Protection>> {
    let work_dir = WorkDir::claim(&config.media.work_dir);
    Ok(transcoder(config, work_dir.path())?.protections().await?)
}

/// One line at the start. What is wrong altogether was said by the check of ffmpeg before.
async fn say_protections(transcoder: &FfmpegTranscoder) {
    let Ok(all) = transcoder.protections().await else {
        return;
    };
    let said: Vec<String> = all
        .iter()
        .map(|p| format!("{}: {}", p.name, p.text))
        .collect();
    let said = said.join("; ");
    if all.iter().all(|p| p.active) {
        tracing::info!("ffmpeg is sandboxed. {said}");
    } else {
        tracing::warn!("ffmpeg is not wholly sandboxed. {said}");
    }
}

/// How long the parts of a start-up check may take.
const CHECK_WITHIN: Duration = Duration::from_secs(10);
