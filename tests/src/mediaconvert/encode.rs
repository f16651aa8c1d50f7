//! What a job makes: ffmpeg, told by the request, writes CMAF segments, HLS manifests and pictures under the names that the
//! service gives them, and they are put into the store.

use std::path::Path;

use anyhow::{Context as _, Result};
use millrace_domain::storage::Storage;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::job::Job;
use crate::store::BUCKET;

/// Makes all outputs. `say` hears the percent after each.
pub(super) async fn run(storage: &Storage, job: &Job, say: impl Fn(i32)) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let source = folder.path().join("source");
    let key = key_of(&job.asked["settings"]["inputs"][0]["fileInput"])?;
    let bytes = storage.get(&key, 1 << 30).await?;
    tokio::fs::write(&source, bytes).await?;
    let outputs = outputs(job)?;
    let count = i32::try_from(outputs.len())?;
    for (done, output) in (1..).zip(outputs) {
        let made = output.make(&source).await?;
        store(storage, &made, &output.folder).await?;
        say(10 + 85 * done / count);
    }
    Ok(())
}

/// What a job that fails leaves behind.
pub(super) async fn rest(storage: &Storage, job: &Job) -> Result<()> {
    let first = outputs(job)?.into_iter().next().context("no outputs")?;
    let key = format!(
        "{}{}{}_000000001.cmfv",
        first.folder, first.stem, first.modifier
    );
    Ok(storage.put(&key, vec![0; 100], "video/mp4").await?)
}

struct Output {
    /// Where it goes.
    folder: String,
    stem: String,
    modifier: String,
    group: Value,
    asked: Value,
}

fn outputs(job: &Job) -> Result<Vec<Output>> {
    let mut all = Vec::new();
    for group in array(&job.asked["settings"]["outputGroups"])? {
        let settings = &group["outputGroupSettings"];
        let settings = match settings["type"].as_str() {
            Some("CMAF_GROUP_SETTINGS") => &settings["cmafGroupSettings"],
            Some("FILE_GROUP_SETTINGS") => &settings["fileGroupSettings"],
            other => anyhow::bail!("the stub knows no group {other:?}"),
        };
        let destination = key_of(&settings["destination"])?;
        let (folder, stem) = destination.rsplit_once('/').context("no folder")?;
        for asked in array(&group["outputs"])? {
            all.push(Output {
                folder: format!("{folder}/"),
                stem: stem.to_owned(),
                modifier: asked["nameModifier"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                group: settings.clone(),
                asked: asked.clone(),
            });
        }
    }
    Ok(all)
}

impl Output {
    async fn make(&self, source: &Path) -> Result<TempDir> {
        let folder = tempfile::tempdir()?;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .current_dir(folder.path())
            .args(["-v", "error", "-nostdin", "-y", "-i"]);
        ffmpeg
            .arg(source)
            .args(["-map_metadata", "-1", "-sn", "-dn"]);
        let video = &self.asked["videoDescription"];
        let name = format!("{}{}", self.stem, self.modifier);
        match video["codecSettings"]["codec"].as_str() {
            Some("H_264") => {
                ffmpeg.args(picture(video)?);
                ffmpeg.args(self.segments(&name, "cmfv")?);
            }
            Some("FRAME_CAPTURE") => {
                ffmpeg
                    .args(pictures(video)?)
                    .arg(format!("{name}.%07d.jpg"));
            }
            Some(other) => anyhow::bail!("the stub knows no codec {other}"),
            None => {
                ffmpeg.args(self.sound()?);
                ffmpeg.args(self.segments(&name, "cmfa")?);
            }
        }
        let output = ffmpeg.kill_on_drop(true).output().await?;
        anyhow::ensure!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(folder)
    }

    /// Segments and manifest, named as the service names them.
    fn segments(&self, name: &str, extension: &str) -> Result<Vec<String>> {
        anyhow::ensure!(self.group["segmentControl"] == "SEGMENTED_FILES");
        anyhow::ensure!(self.group["writeHlsManifest"] == "ENABLED");
        let seconds = number(&self.group["segmentLength"])?;
        let words = [
            "-f",
            "hls",
            "-hls_playlist_type",
            "vod",
            "-hls_segment_type",
            "fmp4",
            "-start_number",
            "1",
            "-hls_time",
            &seconds.to_string(),
            "-hls_fmp4_init_filename",
            &format!("{name}init.{extension}"),
            "-hls_segment_filename",
            &format!("{name}_%09d.{extension}"),
            &format!("{name}.m3u8"),
        ];
        Ok(words.map(str::to_owned).to_vec())
    }

    fn sound(&self) -> Result<Vec<String>> {
        let audio = &self.asked["audioDescriptions"][0]["codecSettings"];
        anyhow::ensure!(audio["codec"] == "AAC", "the stub knows no sound {audio}");
        let aac = &audio["aacSettings"];
        let bitrate = number(&aac["bitrate"])?.to_string();
        let rate = number(&aac["sampleRate"])?.to_string();
        let words = [
            "-map", "0:a:0", "-vn", "-c:a", "aac", "-ac", "2", "-b:a", &bitrate, "-ar", &rate,
        ];
        Ok(words.map(str::to_owned).to_vec())
    }
}

fn picture(video: &Value) -> Result<Vec<String>> {
    let h264 = &video["codecSettings"]["h264Settings"];
    anyhow::ensure!(
        h264["gopSizeUnits"] == "FRAMES",
        "the stub wants groups in frames"
    );
    let gop = h264["gopSize"]
        .as_f64()
        .context("no group of pictures")?
        .to_string();
    let (most, buffer) = (
        number(&h264["maxBitrate"])?,
        number(&h264["hrdBufferSize"])?,
    );
    let fps = format!(
        "{}/{}",
        number(&h264["framerateNumerator"])?,
        number(&h264["framerateDenominator"])?
    );
    let filter = format!("{},fps={fps},setsar=1", scale(video)?);
    let words = [
        "-map",
        "0:V:0",
        "-an",
        "-vf",
        &filter,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-bf",
        "2",
        "-pix_fmt",
        "yuv420p",
        "-profile:v",
        "high",
        "-g",
        &gop,
        "-keyint_min",
        &gop,
        "-sc_threshold",
        "0",
        "-flags",
        "+cgop",
        "-crf",
        "24",
        "-maxrate",
        &most.to_string(),
        "-bufsize",
        &buffer.to_string(),
    ];
    Ok(words.map(str::to_owned).to_vec())
}

fn pictures(video: &Value) -> Result<Vec<String>> {
    let capture = &video["codecSettings"]["frameCaptureSettings"];
    let fps = format!(
        "{}/{}",
        number(&capture["framerateNumerator"])?,
        number(&capture["framerateDenominator"])?
    );
    let filter = format!("fps={fps}:round=up,{}", scale(video)?);
    let most = number(&capture["maxCaptures"])?.to_string();
    let words = [
        "-map",
        "0:V:0",
        "-an",
        "-vf",
        &filter,
        "-frames:v",
        &most,
        "-q:v",
        "5",
        "-start_number",
        "0",
    ];
    Ok(words.map(str::to_owned).to_vec())
}

fn scale(video: &Value) -> Result<String> {
    Ok(format!(
        "scale={}:{}",
        number(&video["width"])?,
        number(&video["height"])?
    ))
}

async fn store(storage: &Storage, made: &TempDir, folder: &str) -> Result<()> {
    let mut files = tokio::fs::read_dir(made.path()).await?;
    while let Some(file) = files.next_entry().await? {
        let name = file
            .file_name()
            .into_string()
            .ok()
            .context("a name that is no text")?;
        storage
            .put_file(&format!("{folder}{name}"), &file.path(), "video/mp4")
            .await?;
    }
    Ok(())
}

/// The key of an address in our bucket.
fn key_of(address: &Value) -> Result<String> {
    let address = address.as_str().context("no address")?;
    let key = address.strip_prefix(&format!("s3://{BUCKET}/"));
    Ok(key
        .with_context(|| format!("{address} is not in the bucket"))?
        .to_owned())
}

fn array(value: &Value) -> Result<&Vec<Value>> {
    value
        .as_array()
        .with_context(|| format!("{value} is no list"))
}

fn number(value: &Value) -> Result<i64> {
    value
        .as_i64()
        .with_context(|| format!("{value} is no number"))
}
