//! What a running job has at hand: the services of its process, and the engine's view of its run.

use std::{ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use millrace_bus::Notifier;
use millrace_config::{Config, PaymentProvider};
use millrace_domain::{
    ids::VideoId,
    media::{Class, MediaError, Transcoder},
    mediaconvert::{MediaConvert, MediaConvertOptions},
    payments::{Provider, Stripe, StripeError, StripeOptions},
    storage::{Storage, StorageOptions},
    videos::Video,
};
use millrace_queue::{Failure, OrOutcome as _, Run};
use sqlx::{
    Connection as _, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Post,
    progress::ProgressWriter,
    source::{Source, Sources, Wanted},
};

/// What [`Services::start`] needs.
pub struct ServiceOptions {
    pub db: PgPool,
    pub storage: Storage,
    pub transcoder: Arc<dyn Transcoder>,
    /// The way to MediaConvert, where there is one.
    pub converter: Option<MediaConvert>,
    /// Ladders of new videos are made by MediaConvert.
    pub convert: bool,
    /// Who takes the money; none where nothing is sold.
    pub payments: Option<Arc<dyn Provider>>,
    /// Where browsers find us, without a path: providers send them back there.
    pub public_url: String,
    pub notifier: Notifier,
    /// The way to an SMTP server; none where no mail is sent.
    pub post: Option<Post>,
    /// Where sources lie. Removed and made again at start: it holds nothing of worth.
    pub work_dir: PathBuf,
    /// Bytes of sources that may stay on disk when no job reads them.
    pub source_cache: u64,
}

/// The services that all jobs of a process share; clones are cheap.
#[derive(Clone)]
pub struct Services {
    pub db: PgPool,
    pub storage: Storage,
    pub transcoder: Arc<dyn Transcoder>,
    pub(crate) converter: Option<MediaConvert>,
    pub(crate) convert: bool,
    pub(crate) payments: Option<Arc<dyn Provider>>,
    pub(crate) public_url: String,
    pub notifier: Notifier,
    pub(crate) post: Option<Post>,
    pub(crate) progress: ProgressWriter,
    sources: Sources,
}

impl Services {
    /// Makes the working directory and starts writing progress until `shutdown`.
    ///
    /// # Errors
    /// When the working directory cannot be made.
    pub fn start(options: ServiceOptions, shutdown: CancellationToken) -> std::io::Result<Self> {
        let sources = Sources::open(&options.work_dir.join("sources"), options.source_cache)?;
        let progress =
            ProgressWriter::start(options.db.clone(), options.notifier.clone(), shutdown);
        Ok(Self {
            db: options.db,
            storage: options.storage,
            transcoder: options.transcoder,
            convert: options.convert && options.converter.is_some(),
            converter: options.converter,
            payments: options.payments,
            public_url: options.public_url,
            notifier: options.notifier,
            post: options.post,
            progress,
            sources,
        })
    }

    /// Gives disk back: sources that no job reads are removed.
    pub fn make_room(&self) {
        self.sources.make_room();
    }
}

/// The services, and the run of this job (by deref).
pub struct JobContext {
    services: Services,
    run: Arc<Run>,
}

impl JobContext {
    pub(crate) fn new(services: Services, run: Arc<Run>) -> Self {
        Self { services, run }
    }

    /// The services of the process.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// The database.
    pub fn db(&self) -> &PgPool {
        &self.services.db
    }

    /// The store.
    pub fn storage(&self) -> &Storage {
        &self.services.storage
    }

    /// The way to an SMTP server.
    pub(crate) fn post(&self) -> Option<&Post> {
        self.services.post.as_ref()
    }

    /// The way to MediaConvert. Another worker may have one.
    pub(crate) fn converter(&self) -> Result<&MediaConvert, Failure> {
        let converter = self.services.converter.as_ref();
        converter.ok_or_else(|| {
            Failure::Retry("mediaconvert.role_arn is not set for this worker".into())
        })
    }

    /// The video, as long as it is being made in this generation.
    pub(crate) async fn video(&self, id: VideoId, generation: i32) -> Result<Video, Failure> {
        let video = Video::find(self.db(), id)
            .await?
            .filter(|video| video.deleted_at.is_none())
            .or_cancel("the video was deleted")?;
        if video.generation != generation
            || video.status != millrace_domain::videos::Status::Processing
        {
            return Err(Failure::cancel("the video moved on"));
        }
        Ok(video)
    }

    /// An object on local disk.
    pub(crate) async fn fetch(&self, key: &str, etag: &str, bytes: u64) -> Result<Source, Failure> {
        let wanted = Wanted {
            key: key.to_owned(),
            etag: etag.to_owned(),
            bytes,
        };
        self.services
            .sources
            .get(self.storage(), &wanted, &self.run.cancelled())
            .await
    }

    /// The video's source on local disk, downloaded once per process however many jobs ask.
    pub(crate) async fn source(&self, video: &Video) -> Result<Source, Failure> {
        let wanted = Wanted {
            key: video.original_key.clone(),
            etag: video.original_etag.clone(),
            bytes: video.file_size.unsigned_abs(),
        };
        self.services
            .sources
            .get(self.storage(), &wanted, &self.run.cancelled())
            .await
    }
}

impl Deref for JobContext {
    type Target = Run;

    fn deref(&self) -> &Run {
        &self.run
    }
}

/// What a media error means for the job: what the person or the operator must mend is not tried again.
pub(crate) fn media_failure(error: MediaError) -> Failure {
    if error.is_permanent() {
        let code = error.code();
        if error.class == Class::Configuration {
            // Every video will fail like this one until somebody mends it.
            metrics::counter!("millrace_media_misconfigured_total").increment(1);
            tracing::error!(code, detail = %error.detail, "this worker cannot encode: {}", error.message);
            return Failure::fail("Processing failed because of a setting on our side.")
                .with_code(code);
        }
        tracing::info!(code, detail = %error.detail, "{}", error.message);
        Failure::fail(error.message).with_code(code)
    } else {
        error.into()
    }
}

/// The store's options as configured.
pub fn storage_options(config: &Config) -> StorageOptions {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let storage = &config.storage;
    StorageOptions {
        endpoint: filled(&storage.endpoint),
        public_endpoint: filled(&storage.public_endpoint),
        region: storage.region.clone(),
        bucket: storage.bucket.clone(),
        access_key: storage.access_key.expose().to_owned(),
        secret_key: storage.secret_key.expose().to_owned(),
        path_style: storage.path_style,
    }
}

/// The options of MediaConvert as configured; none without a role.
pub fn converter_options(config: &Config) -> Option<MediaConvertOptions> {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (convert, storage) = (&config.mediaconvert, &config.storage);
    Some(MediaConvertOptions {
        role: filled(&convert.role_arn)?,
        queue: filled(&convert.queue),
        endpoint: filled(&convert.endpoint),
        region: filled(&convert.region).unwrap_or_else(|| storage.region.clone()),
        access_key: storage.access_key.expose().to_owned(),
        secret_key: storage.secret_key.expose().to_owned(),
        bucket: storage.bucket.clone(),
        poll: convert.poll_interval,
        silence: convert.silence,
    })
}

/// Who takes the money, as configured; none where nothing is sold.
///
/// # Errors
/// An address that is none.
pub fn payment_provider(config: &Config) -> Result<Option<Arc<dyn Provider>>, StripeError> {
    let payments = &config.payments;
    let name = match payments.provider {
        PaymentProvider::None => return Ok(None),
        PaymentProvider::Stripe => "stripe",
        PaymentProvider::Sandbox => "sandbox",
    };
    let secrets = [&payments.webhook_secret, &payments.previous_webhook_secret];
    let options = StripeOptions {
        name,
        endpoint: payments.endpoint.clone(),
        secret_key: payments.secret_key.expose().to_owned(),
        webhook_secrets: secrets
            .into_iter()
            .filter(|secret| !secret.is_empty())
            .map(|secret| secret.expose().to_owned())
            .collect(),
        timeout: payments.timeout,
    };
    Ok(Some(Arc::new(Stripe::new(options)?)))
}

/// The pool's address, and the direct one for listening and leases.
///
/// # Errors
/// An address that is none.
pub fn database_options(
    config: &Config,
) -> Result<(PgConnectOptions, PgConnectOptions), sqlx::Error> {
    let database = &config.database;
    let pool: PgConnectOptions = database.url.expose().parse()?;
    let direct = if database.direct_url.is_empty() {
        pool.clone()
    } else {
        database.direct_url.expose().parse()?
    };
    Ok((pool, direct))
}

/// A connection that was in use so lately is not asked whether it still works before it is used again.
const FRESH: Duration = Duration::from_secs(1);

/// The pool that the settings ask for. Asking a connection for a sign of life costs a round trip at each use; one that
/// lies still may have been cut off, one that was just used is good.
pub fn pool_options(config: &Config) -> PgPoolOptions {
    let database = &config.database;
    PgPoolOptions::new()
        .max_connections(database.max_connections)
        .min_connections(database.min_connections)
        .acquire_timeout(database.acquire_timeout)
        .idle_timeout(database.idle_timeout)
        .max_lifetime(database.max_lifetime)
        .test_before_acquire(false)
        .before_acquire(|conn, meta| {
            Box::pin(async move { Ok(meta.idle_for < FRESH || conn.ping().await.is_ok()) })
        })
}
