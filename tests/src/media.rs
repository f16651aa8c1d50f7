//! What ffprobe says of segments: an init segment and what follows it are a file that it reads.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Deserializer};
use tokio::process::Command;

/// A packet of the only stream in a rendition.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Packet {
    /// When it is shown, in units of the stream's time base.
    pub pts: i64,
    /// When it is decoded, in the same units.
    pub dts: i64,
    /// A decoder can begin here.
    #[serde(rename = "flags", deserialize_with = "is_key")]
    pub key: bool,
}

/// A stream.
#[derive(Debug, Clone, Deserialize)]
pub struct Stream {
    pub codec_name: String,
    pub width: Option<i32>,
    pub height: Option<i32>,
    /// One second in units of this is one: `1/90000`.
    pub time_base: String,
    /// Frames that decode, when they were counted.
    pub nb_read_frames: Option<String>,
}

fn is_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(String::deserialize(deserializer)?.starts_with('K'))
}

/// The packets of `bytes`, in the order of decoding.
///
/// # Errors
/// That ffprobe cannot read them.
pub async fn packets(bytes: &[u8]) -> Result<Vec<Packet>> {
    #[derive(Deserialize)]
    struct Answer {
        packets: Vec<Packet>,
    }
    let answer: Answer = probe(bytes, &["-show_packets"]).await?;
    Ok(answer.packets)
}

/// The stream of `bytes` after all of it was decoded: `nb_read_frames` says how much of it could be.
///
/// # Errors
/// That ffprobe cannot read them, or that something does not decode.
pub async fn decoded(bytes: &[u8]) -> Result<Stream> {
    #[derive(Deserialize)]
    struct Answer {
        streams: Vec<Stream>,
    }
    let answer: Answer = probe(bytes, &["-show_streams", "-count_frames"]).await?;
    answer
        .streams
        .into_iter()
        .next()
        .context("there is no stream")
}

/// How many frames of a stream decoded.
///
/// # Errors
/// That nobody counted.
pub fn frames(stream: &Stream) -> Result<i64> {
    Ok(stream
        .nb_read_frames
        .as_deref()
        .context("nothing was decoded")?
        .parse()?)
}

/// Units of a time base `1/n` in a second.
///
/// # Errors
/// That it is of another form.
pub fn timescale(stream: &Stream) -> Result<i64> {
    Ok(stream
        .time_base
        .strip_prefix("1/")
        .context("the time base is no whole fraction")?
        .parse()?)
}

async fn probe<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &[&str]) -> Result<T> {
    let file = tempfile::Builder::new().suffix(".mp4").tempfile()?;
    tokio::fs::write(file.path(), bytes).await?;
    let mut ffprobe = Command::new("ffprobe");
    ffprobe
        .args(["-v", "error", "-of", "json"])
        .args(what)
        .arg(file.path());
    let output = ffprobe
        .kill_on_drop(true)
        .output()
        .await
        .context("ffprobe cannot be started")?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(
        output.status.success() && complaints.trim().is_empty(),
        "ffprobe: {complaints}"
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
