//! Probing a file with ffprobe.

use std::{
    ffi::OsString, os::unix::process::ExitStatusExt, path::Path, sync::Mutex, time::Duration,
};

use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use super::{
    failure::{failure, too_expensive},
    guards::{before_input, file_url},
    limits::{Limits, Work},
    process::{Ended, Run},
    progress::Tick,
    transcoder::{FfmpegTranscoder, Job, PATIENCE},
};
use crate::media::{
    error::MediaError,
    probe::{Probe, refusal},
};

impl FfmpegTranscoder {
    pub(super) async fn examine(
        &self,
        source: &Path,
        cancel: &CancellationToken,
    ) -> Result<Probe, MediaError> {
        self.admit(source)?;
        let mut head = [0; 12];
        let head = match tokio::fs::File::open(source).await {
            Ok(mut file) => file.read(&mut head).await.map(|read| &head[..read]),
            Err(error) => Err(error),
        };
        let head = head.map_err(|error| {
            MediaError::transient("The source file cannot be read.").with_detail(error.to_string())
        })?;
        if head.is_empty() {
            return Err(MediaError::input("empty_file", "The file is empty."));
        }
        let dir = self.work_dir("probe")?;
        let mut args: Vec<OsString> = ["-hide_banner", "-v", "error"].map(OsString::from).into();
        args.extend(before_input(true));
        args.extend(["-show_format", "-show_streams", "-of", "json"].map(OsString::from));
        let source = std::path::absolute(source).unwrap_or_else(|_| source.to_owned());
        args.push(file_url(&source));
        let run = Run {
            program: &self.options.ffprobe,
            args,
            cwd: dir.path(),
            source: Some(&source),
            limits: Limits::PROBE,
            patience: PATIENCE,
        };
        let Ended {
            status,
            stdout,
            stderr,
        } = self.capture(run, cancel).await?;
        if !status.success() {
            if status.signal().is_some() || matches!(status.code(), Some(126 | 127)) {
                return Err(failure(status, &stderr));
            }
            // ffmpeg takes any text named .mp4 for an MP4 whose index is missing; only a real one is truncated.
            let boxed = matches!(
                head.get(4..8),
                Some(b"ftyp" | b"moov" | b"mdat" | b"free" | b"wide" | b"skip")
            );
            let refused = refusal(&stderr);
            return Err(match refused.code() {
                "truncated" if !boxed => refusal("").with_detail(refused.detail),
                _ => refused,
            });
        }
        if stderr.contains("max pixel") {
            return Err(refusal(&stderr));
        }
        let mut probe = Probe::from_json(&stdout)?;
        if probe.duration <= 0.0 || probe.guesses_duration() {
            let seconds = self.measure(&source, dir.path(), cancel).await?;
            probe = probe.with_measured_duration(seconds)?;
        }
        self.affordable(&probe)?;
        Ok(probe)
    }

    /// Refuses what unfolds beyond measure, before anything is decoded.
    fn affordable(&self, probe: &Probe) -> Result<(), MediaError> {
        let Some(video) = &probe.video else {
            return Ok(());
        };
        let pixels = f64::from(video.width) * f64::from(video.height) * video.fps * video.end;
        if pixels > self.options.limits.pixels {
            return Err(too_expensive(&format!("{pixels:.1e} pixels")));
        }
        Ok(())
    }

    /// The length of a file that does not state it: reads all packets, decodes none.
    async fn measure(
        &self,
        source: &Path,
        cwd: &Path,
        cancel: &CancellationToken,
    ) -> Result<f64, MediaError> {
        let mut args: Vec<OsString> = self.input(source).collect();
        args.extend(
            [
                "-map", "0:V:0?", "-map", "0:a:0?", "-c", "copy", "-f", "null", "-",
            ]
            .map(OsString::from),
        );
        let last = Mutex::new(Duration::ZERO);
        let report = |tick: Tick| {
            if let Ok(mut last) = last.lock() {
                *last = tick.out_time;
            }
        };
        let bytes = std::fs::metadata(source).map_or(0, |file| file.len());
        let work = Work {
            // A slow disk reads 20 MB a second; so many bytes count as a second of media.
            seconds: bytes as f64 / 4e6,
            ..Work::default()
        };
        self.encode(
            Job {
                args,
                cwd,
                source,
                work,
                expected: PATIENCE,
            },
            &report,
            cancel,
        )
        .await?;
        Ok(last.lock().map_or(0.0, |last| last.as_secs_f64()))
    }
}
