//! MILLRACE__SECTION__KEY variables, and files named by MILLRACE__SECTION__KEY_FILE.

use figment::{
    Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};

use crate::ConfigError;

const PREFIX: &str = "MILLRACE__";

/// A single variable such as MILLRACE_ENV; the only place of the workspace that reads the environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// Keys that are strings whatever they look like: a secret of digits must keep its leading zeros.
const TEXT: [&str; 10] = [
    "url",
    "direct_url",
    "access_key",
    "secret_key",
    "signing_key",
    "previous_signing_key",
    "sealing_key",
    "key_pair_id",
    "private_key",
    "smtp_url",
];

/// Gathers `vars` into a nested dictionary.
///
/// # Errors
/// A file named by a `_FILE` variable that cannot be read.
pub(crate) fn layer(vars: impl Iterator<Item = (String, String)>) -> Result<Dict, ConfigError> {
    let mut layer = Dict::new();
    for (name, text) in vars {
        let Some(path) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let path = path.to_ascii_lowercase();
        let (path, text) = match path.strip_suffix("_file") {
            None => (path.as_str(), text),
            Some(stripped) => {
                let content =
                    std::fs::read_to_string(&text).map_err(|source| ConfigError::SecretFile {
                        variable: name.clone(),
                        path: text.clone().into(),
                        source,
                    })?;
                (stripped, content.trim_end().to_owned())
            }
        };
        insert(&mut layer, path, &text);
    }
    Ok(layer)
}

fn insert(layer: &mut Dict, path: &str, text: &str) {
    match path.split_once("__") {
        Some((section, rest)) => {
            let entry = layer
                .entry(section.to_owned())
                .or_insert_with(|| Value::from(Dict::new()));
            if let Value::Dict(_, dict) = entry {
                insert(dict, rest, text);
            }
        }
        None => {
            // figment's own reading of scalars: numbers, booleans and lists are recognized, the rest is text.
            let value = if TEXT.contains(&path) {
                Value::from(text)
            } else {
                text.parse().unwrap_or_else(|_| Value::from(text))
            };
            layer.insert(path.to_owned(), value);
        }
    }
}

/// The environment as a figment provider, named so that errors say where a value came from.
pub(crate) struct Layer(pub(crate) Dict);

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named("MILLRACE__ environment variables")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.0.clone()))
    }
}
