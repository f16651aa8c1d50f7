//! The settings that api and workers of a test share: one table, given to the api as it is and to workers as
//! MILLRACE__ variables.

use anyhow::{Context as _, Result};
use millrace_config::Config;
use toml::{Table, Value};

/// Settings by section and key, on top of `config/default.toml`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings(Table);

impl Settings {
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
