//! The sections of the configuration. What each key means stands in `config/default.toml`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};
use url::Url;

use crate::{ConfigError, Secret};

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

/// Queues with their slots, in the order given: `media=2,default=8`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queues(pub Vec<(String, u16)>);

impl std::str::FromStr for Queues {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut queues: Vec<(String, u16)> = Vec::new();
        for part in text.split(',').map(str::trim).filter(|p| !p.is_empty()) {
            let (name, slots) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}` is not of the form queue=slots"))?;
            let slots = slots
                .trim()
                .parse()
                .ok()
                .filter(|&n| n > 0)
                .ok_or_else(|| format!("`{part}`: slots must be a number from 1 to 65535"))?;
            let name = name.trim();
            if name.is_empty() || queues.iter().any(|(q, _)| q == name) {
                return Err(format!(
                    "`{part}`: every queue needs a name and may be named once"
                ));
            }
            queues.push((name.to_owned(), slots));
        }
        if queues.is_empty() {
            return Err("at least one queue=slots is needed".to_owned());
        }
        Ok(Self(queues))
    }
}

impl<'de> Deserialize<'de> for Queues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
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

impl Config {
    /// What types cannot say.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |key, problem: &str| {
            Err(ConfigError::Invalid {
                key,
                problem: problem.to_owned(),
            })
        };
        if self.worker.heartbeat * 3 > self.worker.lease {
            return refuse(
                "worker.heartbeat",
                "must be at most a third of worker.lease",
            );
        }
        if self.worker.heartbeat.is_zero() || self.worker.poll.is_zero() {
            return refuse(
                "worker.heartbeat",
                "worker.heartbeat and worker.poll must be above zero",
            );
        }
        if self.database.max_connections < 4 {
            return refuse("database.max_connections", "must be at least 4");
        }
        if self.uploads.single_put_limit > 5 * 1024 * 1024 * 1024 {
            return refuse(
                "uploads.single_put_limit",
                "S3 takes at most 5 GiB in one PUT",
            );
        }
        if self.uploads.abandon_after < self.uploads.url_ttl {
            return refuse(
                "uploads.abandon_after",
                "must be at least uploads.url_ttl: a part may arrive that late",
            );
        }
        for (key, secret) in [
            ("auth.signing_key", &self.auth.signing_key),
            ("auth.previous_signing_key", &self.auth.previous_signing_key),
            ("auth.sealing_key", &self.auth.sealing_key),
            ("playback.signing_key", &self.playback.signing_key),
            ("email.signing_key", &self.email.signing_key),
            ("mediaconvert.event_secret", &self.mediaconvert.event_secret),
            (
                "mediaconvert.previous_event_secret",
                &self.mediaconvert.previous_event_secret,
            ),
        ] {
            if !secret.is_empty() && secret.expose().len() < 32 {
                return refuse(key, "must have at least 32 characters");
            }
        }
        if self.email.is_on() && self.email.from.is_empty() {
            return refuse("email.from", "must be set together with email.smtp_url");
        }
        if self.email.is_on() && self.email.signing_key.is_empty() {
            return refuse(
                "email.signing_key",
                "must be set together with email.smtp_url",
            );
        }
        let convert = &self.mediaconvert;
        if self.transcoder.kind == Encoder::MediaConvert && convert.role_arn.is_empty() {
            return refuse(
                "mediaconvert.role_arn",
                "must be set for transcoder.kind = \"mediaconvert\"",
            );
        }
        if convert.poll_interval.is_zero() || convert.silence < convert.poll_interval * 3 {
            return refuse(
                "mediaconvert.silence",
                "must be at least three times mediaconvert.poll_interval, which must be above zero",
            );
        }
        if !matches!(self.server.public_url.scheme(), "http" | "https") {
            return refuse("server.public_url", "must be an http or https address");
        }
        let collector = &self.telemetry.otlp_endpoint;
        let reachable = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if !collector.is_empty() && !collector.parse().is_ok_and(reachable) {
            return refuse(
                "telemetry.otlp_endpoint",
                "must be an http or https address",
            );
        }
        if !(0.0..=1.0).contains(&self.telemetry.sample_ratio) {
            return refuse("telemetry.sample_ratio", "must be from 0 to 1");
        }
        self.validate_delivery()
    }

    /// Whether viewers can get at what the CDN has.
    fn validate_delivery(&self) -> Result<(), ConfigError> {
        let refuse = |key, problem: &str| {
            Err(ConfigError::Invalid {
                key,
                problem: problem.to_owned(),
            })
        };
        let delivery = &self.delivery;
        let signs = !delivery.key_pair_id.is_empty();
        if signs == delivery.private_key.is_empty() {
            return refuse(
                "delivery.private_key",
                "must be set together with delivery.key_pair_id",
            );
        }
        let Some(cdn) = delivery.cdn()? else {
            return if signs {
                refuse("delivery.cdn_url", "must be set for delivery.key_pair_id")
            } else {
                Ok(())
            };
        };
        if self.server.public_url.scheme() == "https" && cdn.scheme() != "https" {
            return refuse(
                "delivery.cdn_url",
                "must be https, as server.public_url is: browsers mix nothing else into its pages",
            );
        }
        if !signs {
            return Ok(());
        }
        if !delivery
            .key_pair_id
            .bytes()
            .all(|c| c.is_ascii_alphanumeric())
        {
            return refuse("delivery.key_pair_id", "must be letters and digits");
        }
        if delivery.cookie_ttl < Duration::from_secs(600) {
            return refuse("delivery.cookie_ttl", "must be at least 10m");
        }
        let domain = delivery.cookie_domain.as_str();
        let (here, there) = (self.server.public_url.host_str(), cdn.host_str());
        let within = |host: Option<&str>| {
            host.is_some_and(|host| {
                host == domain
                    || host
                        .strip_suffix(domain)
                        .is_some_and(|rest| rest.ends_with('.') && domain.contains('.'))
            })
        };
        let reached = if domain.is_empty() {
            here == there
        } else {
            within(here) && within(there)
        };
        if !reached {
            return refuse(
                "delivery.cookie_domain",
                "must be a domain that the hosts of server.public_url and delivery.cdn_url are both in (empty if they \
                 are the same): browsers send a cookie nowhere else",
            );
        }
        Ok(())
    }

    /// What a process that talks to the database and the store cannot do without.
    ///
    /// # Errors
    /// The first key that is missing, by name.
    pub fn require_services(&self) -> Result<(), ConfigError> {
        let missing = |key| {
            Err(ConfigError::Invalid {
                key,
                problem: "must be set".to_owned(),
            })
        };
        if self.database.url.is_empty() {
            return missing("database.url");
        }
        if self.storage.bucket.is_empty() {
            return missing("storage.bucket");
        }
        Ok(())
    }
}
