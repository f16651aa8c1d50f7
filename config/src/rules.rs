//! What settings must be that types cannot say.

use std::time::Duration;

use url::Url;

use crate::{Config, ConfigError, Encoder, PaymentProvider};

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
        self.validate_payments()?;
        self.validate_delivery()
    }

    /// Whether money could be taken, and only by whom it should be.
    fn validate_payments(&self) -> Result<(), ConfigError> {
        let refuse = |key, problem: &str| {
            Err(ConfigError::Invalid {
                key,
                problem: problem.to_owned(),
            })
        };
        let payments = &self.payments;
        let currency = payments.currency.as_bytes();
        if currency.len() != 3 || !currency.iter().all(u8::is_ascii_uppercase) {
            return refuse(
                "payments.currency",
                "must be three capital letters, such as TWD",
            );
        }
        if !(0..=10_000).contains(&payments.share_bps) {
            return refuse("payments.share_bps", "must be from 0 to 10000");
        }
        if payments.tip_min < 1 || payments.tip_max < payments.tip_min {
            return refuse(
                "payments.tip_min",
                "must be above zero, and at most payments.tip_max",
            );
        }
        if payments.tip_max > 99_999_999 {
            return refuse("payments.tip_max", "must be at most 99999999");
        }
        let minute = Duration::from_secs(60);
        if payments.order_ttl < 30 * minute || payments.order_ttl > 23 * 60 * minute {
            return refuse("payments.order_ttl", "must be from 30m to 23h");
        }
        if payments.timeout.is_zero() || payments.timeout > 2 * minute {
            return refuse("payments.timeout", "must be above zero, and at most 2m");
        }
        if !payments.is_on() {
            return Ok(());
        }
        if payments.secret_key.is_empty() {
            return refuse(
                "payments.secret_key",
                "must be set together with payments.provider",
            );
        }
        if payments.webhook_secret.is_empty() {
            return refuse(
                "payments.webhook_secret",
                "must be set together with payments.provider: calls that nobody signed are not believed",
            );
        }
        if payments.endpoint.is_empty() {
            return if payments.provider == PaymentProvider::Sandbox {
                refuse("payments.endpoint", "must be set for the sandbox")
            } else {
                Ok(())
            };
        }
        let safe = |url: Url| match url.scheme() {
            "https" => url.has_host(),
            // The key would go over the network for all to read.
            "http" => match url.host() {
                Some(url::Host::Ipv4(host)) => host.is_loopback(),
                Some(url::Host::Ipv6(host)) => host.is_loopback(),
                Some(url::Host::Domain(host)) => host == "localhost",
                None => false,
            },
            _ => false,
        };
        if !payments.endpoint.parse().is_ok_and(safe) {
            return refuse(
                "payments.endpoint",
                "must be an https address, or http on this machine",
            );
        }
        Ok(())
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
