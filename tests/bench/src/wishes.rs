//! What the command line asks for.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Rounds, unless the command line says otherwise.
const RUNS: usize = 5;

#[derive(Debug)]
pub(crate) struct Wishes {
    ids: Vec<String>,
    pub(crate) runs: usize,
    /// A tenth of the jobs and of the time: to see that everything works, not to quote.
    pub(crate) quick: bool,
    folder: Option<PathBuf>,
}

impl Wishes {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut wishes = Self {
            ids: Vec::new(),
            runs: RUNS,
            quick: false,
            folder: None,
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--runs" => {
                    let runs = words.next().context("--runs wants a number")?;
                    wishes.runs = runs.parse().context("--runs wants a number")?;
                    anyhow::ensure!(wishes.runs > 0, "--runs wants at least 1");
                }
                "--quick" => wishes.quick = true,
                "--dir" => {
                    wishes.folder = Some(words.next().context("--dir wants a folder")?.into());
                }
                _ if word.starts_with('-') => anyhow::bail!("unknown option {word}"),
                _ => wishes.ids.push(word),
            }
        }
        Ok(wishes)
    }

    pub(crate) fn want(&self, id: &str) -> bool {
        self.ids.is_empty() || self.ids.iter().any(|wish| id.starts_with(wish.as_str()))
    }

    /// `whole`, or a tenth of it.
    pub(crate) fn scaled(&self, whole: u64) -> u64 {
        if self.quick { whole / 10 } else { whole }
    }

    /// Where the server's files stay between runs: not below the user's home, where PostgreSQL's own user may not look.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let folder = self.folder.as_deref();
        std::path::absolute(folder.unwrap_or(Path::new("/var/tmp/millrace-bench")))
            .context("--dir is not a folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Wishes> {
        Wishes::read(words.iter().map(|&word| word.to_owned()))
    }

    #[test]
    fn an_id_is_taken_for_all_that_begin_with_it() {
        let wishes = read(&["drain", "idle_core"]).expect("valid");
        assert!(wishes.want("drain_vs_floor") && wishes.want("idle_core_percent"));
        assert!(!wishes.want("idle_statements_per_s"));
        assert!(read(&[]).expect("valid").want("anything"));
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(read(&["--runs", "0"]).is_err());
        assert!(read(&["--runs"]).is_err());
        assert!(read(&["--fast"]).is_err());
    }
}
