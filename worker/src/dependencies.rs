//! What must be there before work can begin: the database with its schema, the store, ffmpeg, and
//! MediaConvert if it makes the ladders.

use std::{error::Error, sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use millrace_config::Config;
use millrace_domain::{
    media::Transcoder,
    mediaconvert::{ConvertError, MediaConvert},
    storage::Storage,
};
use millrace_jobs::storage_options;
use sqlx::PgPool;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::CHECK_WITHIN;

/// The outside world of a worker, and whether it is there.
pub struct Dependencies {
    pool: PgPool,
    storage: Storage,
    transcoder: Arc<dyn Transcoder>,
    /// Where ladders are made by it.
    converter: Option<MediaConvert>,
}

impl Dependencies {
    pub(crate) fn new(
        pool: PgPool,
        config: &Config,
        transcoder: Arc<dyn Transcoder>,
        converter: Option<MediaConvert>,
    ) -> Self {
        Self {
            pool,
            storage: Storage::new(&storage_options(config)),
            transcoder,
            converter,
        }
    }

    /// The store.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Checks everything once, or until it is there if `wait`. `false` if `shutdown` came first.
    pub(crate) async fn await_all(
        &self,
        wait: bool,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<bool> {
        loop {
            let Err(missing) = self.check_all().await else {
                return Ok(true);
            };
            if !wait {
                return Err(missing);
            }
            tracing::warn!("waiting: {missing:#}");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(2)) => {}
                () = shutdown.cancelled() => return Ok(false),
            }
        }
    }

    async fn check_all(&self) -> anyhow::Result<()> {
        self.check_database().await?;
        self.check_storage().await?;
        timeout(CHECK_WITHIN, self.transcoder.check())
            .await
            .context("ffmpeg did not answer")??;
        if let Some(converter) = &self.converter {
            // One that is away for a while is no reason not to do all the other work.
            match timeout(CHECK_WITHIN, converter.check()).await {
                Ok(Err(refused @ ConvertError::Refused { .. })) => return Err(refused.into()),
                Ok(Err(error)) => tracing::warn!(%error, "MediaConvert cannot be asked now"),
                Ok(Ok(())) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Whether the database answers and has the engine's tables.
    ///
    /// # Errors
    /// One line saying what is missing.
    pub async fn check_database(&self) -> anyhow::Result<()> {
        let found = sqlx::query_scalar::<_, bool>(
            "select to_regclass('queue.job') is not null and to_regclass('public.videos') is not null",
        )
        .fetch_one(&self.pool);
        let found = timeout(CHECK_WITHIN, found)
            .await
            .context("the database did not answer in time")?
            .map_err(|e| anyhow!("the database cannot be reached: {e}"))?;
        anyhow::ensure!(
            found,
            "the database has no schema yet: run `millrace migrate`"
        );
        Ok(())
    }

    /// Whether the store answers and has the bucket.
    ///
    /// # Errors
    /// One line saying what is missing.
    pub async fn check_storage(&self) -> anyhow::Result<()> {
        timeout(CHECK_WITHIN, self.storage.check())
            .await
            .context("the store did not answer in time")?
            .map_err(|e| match e.source() {
                Some(source) => anyhow!("{e}: {source}"),
                None => anyhow!("{e}"),
            })
    }
}
