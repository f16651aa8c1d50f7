//! Programs that `deploy/install-deps.sh` puts in the cache folder.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

/// Where such a program is.
///
/// # Errors
/// That it is missing, and with which `flag` the script brings it.
pub fn installed(program: &str, flag: &str) -> Result<PathBuf> {
    let cache = match millrace_config::variable("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(millrace_config::variable("HOME").context("HOME is not set")?)
            .join(".cache"),
    };
    let program = cache.join("millrace").join(program);
    anyhow::ensure!(
        program.exists(),
        "{} is missing: deploy/install-deps.sh {flag} makes it",
        program.display()
    );
    Ok(program)
}
