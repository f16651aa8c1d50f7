//! The settings that api and workers of a test share: one table, given to the api as it is and to workers as
//! MILLRACE__ variables.

use std::path::Path;

use anyhow::{Context as _, Result};
use millrace_config::Config;
use toml::{Table, Value};

use crate::store::{ACCESS_KEY, SECRET_KEY};

/// Settings by section and key, on top of `config/default.toml`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings(Table);

impl Settings {
    /// What every stack of a test has in common: `database` is its address, `store` the host and port of the S3 server.
    pub(crate) fn usual(database: &str, work: &Path, store: &str) -> Self {
        let endpoint = format!("http://{store}");
        let mut settings = Self::default();
        for (name, value) in [
            ("database.url", database),
            ("storage.endpoint", endpoint.as_str()),
            ("storage.public_endpoint", endpoint.as_str()),
            ("storage.access_key", ACCESS_KEY),
            ("storage.secret_key", SECRET_KEY),
            ("auth.signing_key", "a signing key that is only for tests"),
            ("auth.sealing_key", "a sealing key that is only for tests"),
            (
                "playback.signing_key",
                "a playback key that is only for tests",
            ),
            // Free ones, all of them.
            ("server.metrics_listen", "127.0.0.1:0"),
            ("worker.health_listen", "127.0.0.1:0"),
            ("log.filter", "info,sqlx=warn,aws=warn,hyper=warn,s3s=warn"),
        ] {
            settings.set(name, value);
        }
        let web = Path::new(env!("CARGO_MANIFEST_DIR"))
            .with_file_name("frontend")
            .join("dist");
        settings.set("web.dir", web.to_string_lossy().into_owned());
        // All of a test's people come from one address.
        settings.set("auth.login_burst", 1000);
        settings.set("storage.path_style", true);
        settings.set("media.work_dir", work.to_string_lossy().into_owned());
        settings.set("database.max_connections", 10);
        settings
    }

    /// With all of `other`'s on top.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (section, keys) in other.sections() {
            for (key, value) in keys {
                self.set(&format!("{section}.{key}"), value.clone());
            }
        }
    }

    /// Sets `section.key`.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let (section, key) = name.split_once('.').unwrap_or((name, ""));
        let section = self
            .0
            .entry(section)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(table) = section {
            table.insert(key.to_owned(), value.into());
        }
    }

    /// What was set, by section.
    pub(crate) fn sections(&self) -> impl Iterator<Item = (&String, &Table)> {
        self.0
            .iter()
            .filter_map(|(section, keys)| Some((section, keys.as_table()?)))
    }

    /// What a process with these settings would read.
    pub(crate) fn config(&self) -> Result<Config> {
        Config::from_layers(None, self.0.clone(), Default::default())
            .context("the settings of the test were refused")
    }

    /// The same as environment variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = Vec::new();
        for (section, keys) in self.sections() {
            for (key, value) in keys {
                let text = match value {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                variables.push((
                    format!(
                        "MILLRACE__{}__{}",
                        section.to_uppercase(),
                        key.to_uppercase()
                    ),
                    text,
                ));
            }
        }
        variables
    }
}
