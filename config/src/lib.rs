//! The typed settings of Millrace, and the logs, metrics and traces of a process that follow from them:
//! `config/default.toml` (embedded), then `config/<environment>.toml`, then the environment. Binaries read them once and map them to the option structs of the libraries.

/// Reading MILLRACE__ variables and the files that _FILE variables name.
mod environment;
/// Logs, as configured.
mod logging;
/// The metrics of the process.
mod metrics;
/// Queues with their slots.
mod queues;
/// What settings must be that types cannot say.
mod rules;
/// A string that is never printed.
mod secret;
/// The sections and their keys.
mod settings;
/// OpenTelemetry traces, as configured.
mod traces;

use std::path::{Path, PathBuf};

use figment::{
    Figment,
    providers::{Format, Serialized, Toml},
};

pub use environment::variable;
pub use logging::{start_logging, start_telemetry};
pub use metrics::{keep_metrics, metrics};
pub use queues::Queues;
pub use secret::Secret;
pub use settings::*;
pub use traces::Traces;

/// Why the configuration was refused. Its text names the key and where the value came from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{0}")]
    Value(Box<figment::Error>),
    #[error("{key}: {problem}")]
    Invalid { key: &'static str, problem: String },
    #[error("failed to read {path}, which {variable} names: {source}")]
    SecretFile {
        variable: String,
        path: PathBuf,
        source: std::io::Error,
    },
}

impl Config {
    /// Reads the configuration of this process: embedded defaults, `config/<MILLRACE_ENV>.toml` below the working
    /// directory if MILLRACE_ENV is set, and MILLRACE__ variables.
    ///
    /// # Errors
    /// An unknown key, a wrong value or an unreadable file, by name.
    pub fn load() -> Result<Self, ConfigError> {
        Self::load_over(toml::Table::new())
    }

    /// The same with `overrides` between the files and the environment: what local mode decides by itself.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_over(overrides: toml::Table) -> Result<Self, ConfigError> {
        let file =
            variable("MILLRACE_ENV").map(|name| PathBuf::from(format!("config/{name}.toml")));
        Self::from_layers(
            file.as_deref(),
            overrides,
            environment::layer(std::env::vars())?,
        )
    }

    /// Reads the configuration from explicit layers, later ones first in rank.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_layers(
        file: Option<&Path>,
        overrides: toml::Table,
        environment: figment::value::Dict,
    ) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(path) = file {
            figment = figment.merge(Toml::file_exact(path));
        }
        let config: Self = figment
            .merge(Serialized::defaults(overrides))
            .merge(environment::Layer(environment))
            .extract()
            .map_err(|e| ConfigError::Value(Box::new(e)))?;
        config.validate()?;
        Ok(config)
    }
}

/// The text of `config/default.toml`.
pub const DEFAULTS: &str = include_str!("../default.toml");

#[cfg(test)]
mod tests {
    use super::*;

    fn load(vars: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Config::from_layers(None, toml::Table::new(), environment::layer(vars)?)
    }

    #[test]
    fn the_defaults_are_complete() {
        let config = load(&[]).unwrap();
        assert_eq!(
            config.worker.queues.0,
            [("media".to_owned(), 2), ("default".to_owned(), 8)]
        );
        assert_eq!(config.auth.access_ttl.as_secs(), 900);
    }

    #[test]
    fn the_file_of_an_environment_lies_over_the_defaults() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("production.toml");
        let config =
            Config::from_layers(Some(&file), toml::Table::new(), figment::value::Dict::new())
                .unwrap();
        assert_eq!(config.log.format, LogFormat::Json);
        assert!(config.worker.wait_for_dependencies);
    }

    #[test]
    fn the_environment_wins_and_numbers_stay_numbers() {
        let config = load(&[
            ("MILLRACE__DATABASE__MAX_CONNECTIONS", "7"),
            ("MILLRACE__WORKER__QUEUES", "media=3"),
            ("MILLRACE__STORAGE__SECRET_KEY", "0123456789"),
        ])
        .unwrap();
        assert_eq!(config.database.max_connections, 7);
        assert_eq!(config.worker.queues.0, [("media".to_owned(), 3)]);
        assert_eq!(config.storage.secret_key.expose(), "0123456789");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = load(&[("MILLRACE__SERVER__PROT", "1")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("prot") && error.contains("server"),
            "{error}"
        );
    }

    #[test]
    fn mail_needs_a_sender_and_a_key() {
        let server = ("MILLRACE__EMAIL__SMTP_URL", "smtp://127.0.0.1:25?tls=none");
        let from = ("MILLRACE__EMAIL__FROM", "Millrace <us@example.org>");
        let key = (
            "MILLRACE__EMAIL__SIGNING_KEY",
            "0123456789abcdef0123456789abcdef",
        );
        assert!(!load(&[]).unwrap().email.is_on());
        assert!(load(&[server, from, key]).unwrap().email.is_on());
        for (vars, named) in [
            (vec![server, key], "email.from"),
            (vec![server, from], "email.signing_key"),
        ] {
            let error = load(&vars).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_provider_of_payments_needs_keys_and_a_safe_address() {
        let provider = ("MILLRACE__PAYMENTS__PROVIDER", "stripe");
        let sandbox = ("MILLRACE__PAYMENTS__PROVIDER", "sandbox");
        let key = ("MILLRACE__PAYMENTS__SECRET_KEY", "sk_test_1");
        let secret = ("MILLRACE__PAYMENTS__WEBHOOK_SECRET", "whsec_1");
        let at = |url| ("MILLRACE__PAYMENTS__ENDPOINT", url);
        let here = at("http://127.0.0.1:8086");
        assert!(!load(&[]).unwrap().payments.is_on());
        assert!(load(&[provider, key, secret]).unwrap().payments.is_on());
        load(&[sandbox, key, secret, here]).unwrap();
        for (vars, named) in [
            (vec![provider, secret], "payments.secret_key"),
            (vec![provider, key], "payments.webhook_secret"),
            (vec![sandbox, key, secret], "payments.endpoint"),
            (
                vec![provider, key, secret, at("http://pay.example.org")],
                "payments.endpoint",
            ),
            (
                vec![("MILLRACE__PAYMENTS__SHARE_BPS", "10001")],
                "payments.share_bps",
            ),
            (
                vec![("MILLRACE__PAYMENTS__CURRENCY", "twd")],
                "payments.currency",
            ),
            (
                vec![("MILLRACE__PAYMENTS__ORDER_TTL", "29m")],
                "payments.order_ttl",
            ),
            (
                vec![("MILLRACE__PAYMENTS__TIP_MIN", "0")],
                "payments.tip_min",
            ),
        ] {
            let error = load(&vars).unwrap_err().to_string();
            assert!(error.contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_by_name() {
        let error = load(&[("MILLRACE__DATABASE__MAX_CONNECTIONS", "many")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("max_connections") && error.contains("many"),
            "{error}"
        );
        let error = load(&[("MILLRACE__WORKER__QUEUES", "media=none")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("queues") && error.contains("media"),
            "{error}"
        );
        let error = load(&[("MILLRACE__WORKER__HEARTBEAT", "20s")])
            .unwrap_err()
            .to_string();
        assert!(error.contains("worker.heartbeat"), "{error}");
    }

    #[test]
    fn a_cdn_must_be_reachable_by_what_we_give_viewers() {
        let key = [
            ("MILLRACE__SERVER__PUBLIC_URL", "https://app.example.org"),
            ("MILLRACE__DELIVERY__CDN_URL", "https://media.example.org"),
            ("MILLRACE__DELIVERY__KEY_PAIR_ID", "0042"),
            ("MILLRACE__DELIVERY__PRIVATE_KEY", "a key"),
            ("MILLRACE__DELIVERY__COOKIE_DOMAIN", "example.org"),
        ];
        assert_eq!(load(&key).unwrap().delivery.key_pair_id, "0042");
        let with = |name: &str, value: &str| {
            let mut vars = key.to_vec();
            let name = format!("MILLRACE__{name}");
            vars.retain(|(known, _)| *known != name);
            vars.push((&name, value));
            load(&vars).map(drop).map_err(|error| error.to_string())
        };
        for (name, value, refused) in [
            ("DELIVERY__COOKIE_DOMAIN", "", "delivery.cookie_domain"),
            ("DELIVERY__COOKIE_DOMAIN", "org", "delivery.cookie_domain"),
            (
                "DELIVERY__COOKIE_DOMAIN",
                "le.org",
                "delivery.cookie_domain",
            ),
            (
                "DELIVERY__CDN_URL",
                "https://d1.cloudfront.net",
                "delivery.cookie_domain",
            ),
            (
                "DELIVERY__CDN_URL",
                "http://media.example.org",
                "delivery.cdn_url",
            ),
            (
                "DELIVERY__CDN_URL",
                "https://media.example.org/?x",
                "delivery.cdn_url",
            ),
            ("DELIVERY__CDN_URL", "media.example.org", "delivery.cdn_url"),
            ("DELIVERY__CDN_URL", "", "delivery.cdn_url"),
            ("DELIVERY__PRIVATE_KEY", "", "delivery.private_key"),
            ("DELIVERY__KEY_PAIR_ID", "", "delivery.private_key"),
            ("DELIVERY__KEY_PAIR_ID", "a;b", "delivery.key_pair_id"),
            ("DELIVERY__COOKIE_TTL", "1m", "delivery.cookie_ttl"),
        ] {
            let error = with(name, value).expect_err(name);
            assert!(error.starts_with(refused), "{name}={value}: {error}");
        }
        with("DELIVERY__COOKIE_DOMAIN", "example.org").unwrap();
        with("DELIVERY__CDN_URL", "https://media.example.org/bucket/").unwrap();
    }

    #[test]
    fn a_collector_must_be_an_address_and_a_share_a_share() {
        for (name, value, refused) in [
            ("OTLP_ENDPOINT", "collector", "telemetry.otlp_endpoint"),
            (
                "OTLP_ENDPOINT",
                "grpc://collector:4317",
                "telemetry.otlp_endpoint",
            ),
            ("SAMPLE_RATIO", "1.5", "telemetry.sample_ratio"),
            ("SAMPLE_RATIO", "nan", "telemetry.sample_ratio"),
        ] {
            let name = format!("MILLRACE__TELEMETRY__{name}");
            let error = load(&[(&name, value)]).expect_err(value).to_string();
            assert!(error.contains(refused), "{value}: {error}");
        }
        let config = load(&[
            (
                "MILLRACE__TELEMETRY__OTLP_ENDPOINT",
                "http://127.0.0.1:4318",
            ),
            ("MILLRACE__TELEMETRY__SAMPLE_RATIO", "0.25"),
        ])
        .unwrap();
        assert!(config.telemetry.sample_ratio < 0.3);
    }

    #[test]
    fn a_secret_comes_from_a_file_and_is_not_printed() {
        let file = std::env::temp_dir().join(format!("millrace-secret-{}", std::process::id()));
        std::fs::write(&file, "correct horse battery staple, long enough\n").unwrap();
        let config = load(&[("MILLRACE__AUTH__SIGNING_KEY_FILE", file.to_str().unwrap())]).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(
            config.auth.signing_key.expose(),
            "correct horse battery staple, long enough"
        );
        assert!(!format!("{config:?}").contains("horse"));
        let error = load(&[("MILLRACE__AUTH__SIGNING_KEY_FILE", "/nowhere")])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("MILLRACE__AUTH__SIGNING_KEY_FILE"),
            "{error}"
        );
    }
}
