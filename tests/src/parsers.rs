//! What players that others wrote make of a playlist: npm's m3u8-parser (video.js) and PyPI's m3u8.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use tokio::process::Command;

use crate::{installed, within};

/// A master playlist with all that it names, as a parser read it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Reading {
    pub variants: Vec<ReadVariant>,
    pub iframes: Vec<ReadVariant>,
    pub sounds: Vec<ReadSound>,
    /// By address.
    pub lists: BTreeMap<String, ReadList>,
    /// What the parser complained about.
    pub wrong: Vec<String>,
}

/// A variant, or a list of key frames.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReadVariant {
    pub uri: String,
    pub bandwidth: u64,
    pub average: Option<u64>,
    pub resolution: Option<String>,
    pub codecs: String,
    pub frame_rate: Option<f64>,
    pub audio: Option<String>,
}

/// A rendition of the sound.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReadSound {
    pub group: String,
    pub name: String,
    pub chosen: bool,
    pub uri: String,
}

/// A media playlist.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReadList {
    pub kind: Option<String>,
    pub version: Option<u32>,
    pub target: f64,
    pub ended: bool,
    pub independent: bool,
    pub iframes_only: bool,
    pub discontinuities: u32,
    pub segments: Vec<ReadSegment>,
}

/// A segment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ReadSegment {
    pub uri: String,
    pub duration: f64,
    /// As `length@offset`.
    pub range: Option<String>,
    pub map: Option<String>,
}

impl Reading {
    /// By npm's m3u8-parser, which is what video.js reads playlists with.
    ///
    /// # Errors
    /// That it cannot read them.
    pub async fn by_npm(master: &str) -> Result<Self> {
        read("node".into(), "by_npm.mjs", master).await
    }

    /// By PyPI's m3u8.
    ///
    /// # Errors
    /// That it cannot read them, or is not installed.
    pub async fn by_pypi(master: &str) -> Result<Self> {
        let python = installed("python/bin/python", "--tests")?;
        read(python, "by_pypi.py", master).await
    }
}

async fn read(program: PathBuf, script: &str, master: &str) -> Result<Reading> {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("parsers")
        .join(script);
    let mut command = Command::new(&program);
    command.arg(&script).arg(master).kill_on_drop(true);
    let output = within("the parser ends", Duration::from_secs(60), command.output())
        .await?
        .with_context(|| format!("{} cannot be started", program.display()))?;
    anyhow::ensure!(
        output.status.success(),
        "{} failed: {}",
        script.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("a parser said something else")
}
