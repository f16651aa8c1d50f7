//! The sections of the configuration. What each key means stands in `config/default.toml`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::Deserialize;
use url::Url;

use crate::{ConfigError, Queues, Secret};

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub server: Server,
    pub web: Web,
    pub database: Database,
    pub storage: Storage,
    pub auth: Auth,
    pub uploads: Uploads,
    pub playback: Playback,
    pub delivery: Delivery,
    pub realtime: Realtime,
    pub email: Email,
    pub media: Media,
    pub transcoder: Transcoder,
    pub mediaconvert: MediaConvert,
    pub payments: Payments,
    pub worker: Worker,
    pub log: Log,
    pub telemetry: Telemetry,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    pub listen: SocketAddr,
    pub public_url: Url,
    pub metrics_listen: SocketAddr,
    pub allowed_origins: Vec<String>,
    pub body_limit: usize,
    #[serde(with = "humantime_serde")]
    pub request_timeout: Duration,
    pub trust_proxy: bool,
}

/// `[web]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    pub dir: PathBuf,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: Secret,
    pub direct_url: Secret,
    pub max_connections: u32,
    pub min_connections: u32,
    #[serde(with = "humantime_serde")]
    pub acquire_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    #[serde(with = "humantime_serde")]
    pub max_lifetime: Duration,
}

/// `[storage]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    pub endpoint: String,
    pub public_endpoint: String,
    pub region: String,
    pub bucket: String,
    pub access_key: Secret,
    pub secret_key: Secret,
    pub path_style: bool,
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    Open,
    /// Who has an invitation.
    Invite,
    Closed,
}

/// `[auth]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub issuer: String,
    pub audience: String,
    pub signing_key: Secret,
    pub key_id: String,
    pub previous_signing_key: Secret,
    pub previous_key_id: String,
    pub sealing_key: Secret,
    pub staff_second_factor: bool,
    #[serde(with = "humantime_serde")]
    pub access_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub refresh_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub refresh_grace: Duration,
    pub registration: Registration,
    pub login_burst: u32,
    #[serde(with = "humantime_serde")]
    pub login_refill: Duration,
}

/// `[uploads]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    pub max_size: u64,
    pub single_put_limit: u64,
    #[serde(with = "humantime_serde")]
    pub url_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub abandon_after: Duration,
    quota: u64,
}

impl Uploads {
    /// Bytes that one person may store unless their account says otherwise; `None` for no limit.
    pub fn quota(&self) -> Option<u64> {
        (self.quota > 0).then_some(self.quota)
    }
}

/// `[playback]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Playback {
    pub signing_key: Secret,
    #[serde(with = "humantime_serde")]
    pub private_ttl: Duration,
}

/// `[delivery]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    pub cdn_url: String,
    pub key_pair_id: String,
    pub private_key: Secret,
    pub cookie_domain: String,
    #[serde(with = "humantime_serde")]
    pub cookie_ttl: Duration,
}

/// `[realtime]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Realtime {
    #[serde(with = "humantime_serde")]
    pub position_check: Duration,
    pub max_topics: usize,
}

/// `[email]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    pub smtp_url: Secret,
    pub from: String,
    pub signing_key: Secret,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Email {
    /// Whether mail is sent at all.
    pub fn is_on(&self) -> bool {
        !self.smtp_url.is_empty()
    }
}

/// `[media]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    pub ffmpeg: PathBuf,
    pub ffprobe: PathBuf,
    pub work_dir: PathBuf,
    pub user: String,
    pub threads: u32,
    pub preset: String,
    pub require_sandbox: bool,
    pub limit_factor: f64,
    pub memory_limit: u64,
    pub max_gigapixels: f64,
    pub source_cache: u64,
    pub min_free_space: u64,
    pub min_free_memory: u64,
}

/// What makes the ladder of new videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoder {
    Ffmpeg,
    MediaConvert,
}

/// `[transcoder]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transcoder {
    pub kind: Encoder,
}

/// `[mediaconvert]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaConvert {
    pub role_arn: String,
    pub queue: String,
    pub endpoint: String,
    pub region: String,
    #[serde(with = "humantime_serde")]
    pub poll_interval: Duration,
    #[serde(with = "humantime_serde")]
    pub silence: Duration,
    pub event_secret: Secret,
    pub previous_event_secret: Secret,
}

/// Who takes the money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum PaymentProvider {
    /// Nobody: nothing can be bought.
    #[serde(rename = "")]
    None,
    #[serde(rename = "stripe")]
    Stripe,
    /// The sandbox of local mode, which speaks Stripe's protocol.
    #[serde(rename = "sandbox")]
    Sandbox,
}

/// `[payments]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Payments {
    pub provider: PaymentProvider,
    pub endpoint: String,
    pub secret_key: Secret,
    pub webhook_secret: Secret,
    pub previous_webhook_secret: Secret,
    pub currency: String,
    pub share_bps: i32,
    pub tip_min: i64,
    pub tip_max: i64,
    #[serde(with = "humantime_serde")]
    pub order_ttl: Duration,
    #[serde(with = "humantime_serde")]
    pub timeout: Duration,
}

impl Payments {
    /// Whether anything can be bought.
    pub fn is_on(&self) -> bool {
        self.provider != PaymentProvider::None
    }
}

/// `[worker]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worker {
    pub name: String,
    pub queues: Queues,
    pub health_listen: SocketAddr,
    #[serde(with = "humantime_serde")]
    pub lease: Duration,
    #[serde(with = "humantime_serde")]
    pub heartbeat: Duration,
    #[serde(with = "humantime_serde")]
    pub poll: Duration,
    #[serde(with = "humantime_serde")]
    pub drain_timeout: Duration,
    pub wait_for_dependencies: bool,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub otlp_endpoint: String,
    pub sample_ratio: f64,
}

impl Delivery {
    /// The address of the CDN, if there is one.
    ///
    /// # Errors
    /// An address that no key can be appended to.
    pub fn cdn(&self) -> Result<Option<Url>, ConfigError> {
        if self.cdn_url.is_empty() {
            return Ok(None);
        }
        let plain = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some()
                && url.query().is_none()
                && url.fragment().is_none()
        };
        match self.cdn_url.parse::<Url>().ok().filter(plain) {
            Some(url) => Ok(Some(url)),
            None => Err(ConfigError::Invalid {
                key: "delivery.cdn_url",
                problem: "must be an http or https address without a query".to_owned(),
            }),
        }
    }
}
