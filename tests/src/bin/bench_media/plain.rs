//! The command that a person would write: one ffmpeg that decodes once, makes the same qualities with the same encoder
//! settings, the sound, and HLS with segments of 4 s.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result};
use millrace_domain::media::{AUDIO_BITRATE, ladder};
use tokio::process::Command;

/// As `media.preset`.
pub(crate) const PRESET: &str = "veryfast";
/// As `media.threads`: ffmpeg takes the cores that it sees, the worker shares them among its media slots.
pub(crate) const THREADS: u32 = 0;

/// Transcodes `source`, 30 frames a second of this size, into `folder` and returns the seconds that it took.
pub(crate) async fn transcode(
    source: &Path,
    (width, height): (i32, i32),
    folder: &Path,
) -> Result<f64> {
    let rungs = ladder(width, height);
    let mut graph = format!("[0:V:0]fps=30,{}", scale(&rungs[0]));
    graph.push_str(&format!(",format=yuv420p,split={}[r0]", rungs.len()));
    graph.extend((1..rungs.len()).map(|n| format!("[s{n}]")));
    for (n, rung) in rungs.iter().enumerate().skip(1) {
        graph.push_str(&format!(";[s{n}]{}[r{n}]", scale(rung)));
    }
    let mut command = Command::new("ffmpeg");
    command.args([
        "-v",
        "error",
        "-nostdin",
        "-y",
        "-threads",
        &THREADS.to_string(),
        "-i",
    ]);
    command.arg(source).args(["-filter_complex", &graph]);
    let mut variants = Vec::new();
    for (n, rung) in rungs.iter().enumerate() {
        command.args(["-map", &format!("[r{n}]")]);
        for (option, value) in [
            ("crf", rung.crf),
            ("maxrate", rung.max_bitrate),
            ("bufsize", rung.buffer_size()),
        ] {
            command.args([format!("-{option}:v:{n}"), value.to_string()]);
        }
        variants.push(format!("v:{n},agroup:sound"));
    }
    variants.push("a:0,agroup:sound".to_owned());
    let (threads, bitrate) = (THREADS.to_string(), AUDIO_BITRATE.to_string());
    command.args([
        "-map",
        "0:a:0",
        "-c:v",
        "libx264",
        "-preset",
        PRESET,
        "-threads:v",
        &threads,
        "-profile:v",
        "high",
        "-g",
        "60",
        "-keyint_min",
        "60",
        "-sc_threshold",
        "0",
        "-flags:v",
        "+cgop",
        "-c:a",
        "aac",
        "-b:a",
        &bitrate,
        "-ar",
        "48000",
        "-ac",
        "2",
        "-f",
        "hls",
        "-hls_time",
        "4",
        "-hls_playlist_type",
        "vod",
        "-hls_segment_type",
        "fmp4",
        "-hls_flags",
        "independent_segments",
        "-master_pl_name",
        "master.m3u8",
        "-hls_fmp4_init_filename",
        "init.mp4",
        "-hls_segment_filename",
        "%v/seg_%d.m4s",
        "-var_stream_map",
        &variants.join(" "),
        "%v/index.m3u8",
    ]);
    let begun = Instant::now();
    let status = command
        .current_dir(folder)
        .kill_on_drop(true)
        .status()
        .await
        .context("ffmpeg cannot be started")?;
    anyhow::ensure!(status.success(), "plain ffmpeg failed");
    let seconds = begun.elapsed().as_secs_f64();
    let master = tokio::fs::read_to_string(folder.join("master.m3u8")).await?;
    // The sound has an entry of its own, without a resolution.
    let made = master.matches("RESOLUTION=").count();
    anyhow::ensure!(made == rungs.len(), "plain ffmpeg made {made} qualities");
    Ok(seconds)
}

fn scale(rung: &millrace_domain::media::Rung) -> String {
    format!(
        "scale={}:{}:flags=bicubic,setsar=1",
        rung.width, rung.height
    )
}
