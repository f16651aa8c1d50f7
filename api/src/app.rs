//! What every handler has at hand.

use std::{ops::Deref, sync::Arc, time::Duration};

use millrace_bus::Notifier;
use millrace_config::{Config, Registration};
use millrace_domain::{
    accounts::{Bucket, Sealer},
    cache::Cache,
    email::UnsubscribeKey,
    payments::Provider,
    storage::Storage,
};
use sqlx::PgPool;

use crate::{
    auth::{AccessTokens, Origins, Passwords},
    mediaconvert::EventSecrets,
    moderation::Words,
    payments::Terms,
    playback::Playback,
    relay::Relay,
    social::TicketKey,
};

/// The services of the process and the settings that handlers need; clones are cheap.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

/// See [`App`].
pub(crate) struct Inner {
    pub db: PgPool,
    pub storage: Storage,
    pub notifier: Notifier,
    pub tokens: AccessTokens,
    pub passwords: Passwords,
    pub sealer: Sealer,
    pub playback: Playback,
    pub relay: Relay,
    /// Reads the links that end mail; none where no mail is sent.
    pub unsubscribe: Option<UnsubscribeKey>,
    /// Signs what players count views with.
    pub watch_key: TicketKey,
    /// What events of MediaConvert carry.
    pub event_secrets: EventSecrets,
    /// Who takes the money; none where nothing is sold.
    pub provider: Option<Arc<dyn Provider>>,
    pub cache: Cache,
    /// The word list for comments, as this process remembers it.
    pub words: Words,
    pub settings: Settings,
}

impl App {
    /// Puts them together.
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The settings that handlers need.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub public_url: url::Url,
    pub registration: Registration,
    /// Whether staff need a second factor to use their rights.
    pub staff_second_factor: bool,
    pub refresh_ttl: Duration,
    pub refresh_grace: Duration,
    /// Whether browsers reach us by https.
    pub secure: bool,
    pub trust_proxy: bool,
    pub origins: Origins,
    /// Log-ins of one account.
    pub account_bucket: Bucket,
    /// Log-ins from one address: an office shares one.
    pub address_bucket: Bucket,
    /// Registrations from one address.
    pub register_bucket: Bucket,
    /// Socket tickets of one person.
    pub ticket_bucket: Bucket,
    /// Mails that one person, or one name, asks for.
    pub mail_bucket: Bucket,
    /// Pictures of themselves that one person begins to send.
    pub avatar_bucket: Bucket,
    /// Uploads that one person begins.
    pub upload_bucket: Bucket,
    /// Anonymous views of one video from one address.
    pub view_bucket: Bucket,
    /// Likes, follows and changes of playlists of one person.
    pub gesture_bucket: Bucket,
    /// Comments of one person.
    pub comment_bucket: Bucket,
    /// Reports of one person.
    pub report_bucket: Bucket,
    /// What players of one address say that they played: a classroom has thirty.
    pub beacon_bucket: Bucket,
    /// Searches of one person, or from one address.
    pub search_bucket: Bucket,
    /// Suggestions for one person, or to one address: one for every few letters that somebody types.
    pub suggest_bucket: Bucket,
    /// What new orders are made with.
    pub terms: Terms,
    /// Bytes.
    pub max_upload_size: u64,
    /// Bytes.
    pub single_put_limit: u64,
    pub upload_url_ttl: Duration,
    pub abandon_after: Duration,
    /// Bytes of everybody without a quota of their own.
    pub quota: Option<u64>,
}

impl Settings {
    /// Those of a configuration.
    ///
    /// # Errors
    /// A currency that does not exist.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        let auth = &config.auth;
        let public = config.server.public_url.origin().ascii_serialization();
        Ok(Self {
            public_url: config.server.public_url.clone(),
            registration: auth.registration,
            staff_second_factor: auth.staff_second_factor,
            refresh_ttl: auth.refresh_ttl,
            refresh_grace: auth.refresh_grace,
            secure: config.server.public_url.scheme() == "https",
            trust_proxy: config.server.trust_proxy,
            origins: Origins::new(public, config.server.allowed_origins.iter().cloned()),
            account_bucket: Bucket::new(auth.login_burst, auth.login_refill),
            address_bucket: Bucket::new(auth.login_burst.saturating_mul(5), auth.login_refill / 20),
            register_bucket: Bucket::new(auth.login_burst.saturating_mul(5), auth.login_refill / 5),
            ticket_bucket: Bucket::new(60, Duration::from_secs(1)),
            mail_bucket: Bucket::new(3, Duration::from_secs(600)),
            avatar_bucket: Bucket::new(10, Duration::from_secs(30)),
            upload_bucket: Bucket::new(200, Duration::from_secs(2)),
            view_bucket: Bucket::new(30, Duration::from_secs(600)),
            gesture_bucket: Bucket::new(120, Duration::from_secs(1)),
            comment_bucket: Bucket::new(15, Duration::from_secs(12)),
            report_bucket: Bucket::new(10, Duration::from_secs(300)),
            beacon_bucket: Bucket::new(300, Duration::from_millis(400)),
            search_bucket: Bucket::new(120, Duration::from_millis(500)),
            suggest_bucket: Bucket::new(300, Duration::from_millis(200)),
            max_upload_size: config.uploads.max_size,
            single_put_limit: config.uploads.single_put_limit,
            upload_url_ttl: config.uploads.url_ttl,
            abandon_after: config.uploads.abandon_after,
            quota: config.uploads.quota(),
            terms: Terms::new(config)?,
        })
    }
}
