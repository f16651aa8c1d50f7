//! What this ffmpeg can do, and what it lacks.

use std::ffi::OsString;

use tokio_util::sync::CancellationToken;

use super::{
    limits::Limits,
    process::Run,
    transcoder::{FfmpegTranscoder, PATIENCE},
};
use crate::media::error::MediaError;

impl FfmpegTranscoder {
    /// What `ffmpeg -encoders` or the like prints.
    pub(super) async fn list(
        &self,
        what: &str,
        cancel: &CancellationToken,
    ) -> Result<String, MediaError> {
        let dir = self.work_dir("check")?;
        let args = ["-hide_banner", "-nostdin", what]
            .map(OsString::from)
            .into();
        let run = Run {
            program: &self.options.ffmpeg,
            args,
            cwd: dir.path(),
            source: None,
            limits: Limits::PROBE,
            patience: PATIENCE,
        };
        let ended = self.capture(run, cancel).await?;
        if ended.status.success() {
            return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
        }
        let program = self.options.ffmpeg.display();
        Err(
            MediaError::configuration(format!("{program} cannot be run."))
                .with_detail(ended.stderr.trim()),
        )
    }

    pub(super) async fn examine_ffmpeg(&self) -> Result<(), MediaError> {
        let cancel = CancellationToken::new();
        let encoders = self.list("-encoders", &cancel).await?;
        let filters = self.list("-filters", &cancel).await?;
        let muxers = self.list("-muxers", &cancel).await?;
        let needs = |text: &str, words: &[&'static str]| -> Vec<&'static str> {
            let has = |word: &str| {
                text.lines()
                    .any(|line| line.split_whitespace().nth(1) == Some(word))
            };
            words.iter().copied().filter(|word| !has(word)).collect()
        };
        let mut missing = needs(&encoders, &["libx264", "aac", "mjpeg"]);
        missing.extend(needs(
            &filters,
            &[
                "fps",
                "tpad",
                "trim",
                "scale",
                "bwdif",
                "thumbnail",
                "aresample",
                "apad",
            ],
        ));
        missing.extend(needs(&muxers, &["hls", "mp4"]));
        let program = self.options.ffmpeg.display();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return Err(MediaError::configuration(format!(
                "{program} lacks {missing}: install a full build of ffmpeg."
            )));
        }
        let dir = self.work_dir("check")?;
        let args = vec!["-version".into()];
        let run = Run {
            program: &self.options.ffprobe,
            args,
            cwd: dir.path(),
            source: None,
            limits: Limits::PROBE,
            patience: PATIENCE,
        };
        let ended = self.capture(run, &cancel).await?;
        if !ended.status.success() {
            let program = self.options.ffprobe.display();
            return Err(
                MediaError::configuration(format!("{program} cannot be run."))
                    .with_detail(ended.stderr.trim()),
            );
        }
        if !self.can_tone_map(&cancel).await? {
            tracing::warn!("ffmpeg lacks zscale or tonemap: HDR videos will look washed out");
        }
        Ok(())
    }
}
