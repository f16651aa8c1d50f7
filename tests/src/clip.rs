//! Clips that ffmpeg draws: a counting test picture and a tone. Each is made once and kept between runs, named by
//! what it is.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rand::{Rng as _, SeedableRng as _};
use tokio::process::Command;

/// How a clip is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Clip {
    seconds: u32,
    size: String,
    fps: String,
    sound: bool,
    noise: bool,
    unusual: bool,
}

impl Clip {
    /// `seconds` of picture of `size` (such as `640x360`) at 30 frames a second, with a tone.
    pub fn new(seconds: u32, size: &str) -> Self {
        Self {
            seconds,
            size: size.to_owned(),
            fps: "30".to_owned(),
            sound: true,
            noise: false,
            unusual: false,
        }
    }

    /// At this rate, such as `30000/1001`.
    #[must_use]
    pub fn fps(self, fps: &str) -> Self {
        Self {
            fps: fps.to_owned(),
            ..self
        }
    }

    /// Without a tone.
    #[must_use]
    pub fn silent(self) -> Self {
        Self {
            sound: false,
            ..self
        }
    }

    /// With noise that does not compress, for large files: about 4 MB a second at 640x360.
    #[must_use]
    pub fn noisy(self) -> Self {
        Self {
            noise: true,
            ..self
        }
    }

    /// With key frames so rare that it must be encoded before anybody watches it: nothing of it is copied.
    #[must_use]
    pub fn unusual(self) -> Self {
        Self {
            unusual: true,
            ..self
        }
    }

    /// The file, drawn if it was not before.
    ///
    /// # Errors
    /// When ffmpeg cannot do it.
    pub async fn file(&self) -> Result<PathBuf> {
        let folder = std::env::temp_dir().join("millrace-clips-1");
        tokio::fs::create_dir_all(&folder).await?;
        let path = folder.join(self.name());
        if !path.exists() {
            let draft = folder.join(format!("{}-{}", uuid::Uuid::now_v7(), self.name()));
            self.draw(&draft).await?;
            tokio::fs::rename(&draft, &path).await?;
        }
        Ok(path)
    }

    fn name(&self) -> String {
        let fps = self.fps.replace('/', "_");
        let sound = if self.sound { "tone" } else { "silent" };
        let noise = if self.noise { "-noise" } else { "" };
        let unusual = if self.unusual { "-unusual" } else { "" };
        format!(
            "{}s-{}-{fps}-{sound}{noise}{unusual}.mp4",
            self.seconds, self.size
        )
    }

    async fn draw(&self, path: &Path) -> Result<()> {
        let Self {
            seconds, size, fps, ..
        } = self;
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-y", "-f", "lavfi", "-i"]);
        ffmpeg.arg(format!(
            "testsrc2=size={size}:rate={fps}:duration={seconds}"
        ));
        if self.sound {
            ffmpeg.args(["-f", "lavfi", "-i"]).arg(format!(
                "sine=frequency=440:sample_rate=48000:duration={seconds}"
            ));
        }
        if self.noise {
            ffmpeg.args(["-vf", "noise=alls=80:allf=t", "-qp", "8"]);
        }
        if self.unusual {
            ffmpeg.args(["-g", "100000", "-sc_threshold", "0"]);
        }
        ffmpeg.args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ]);
        let output = ffmpeg
            .arg(path)
            .kill_on_drop(true)
            .output()
            .await
            .context("ffmpeg cannot be started")?;
        anyhow::ensure!(
            output.status.success(),
            "no clip: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// A film with a box of noise behind it, which players skip, so that it has `size` bytes.
pub fn padded(mut film: Vec<u8>, size: usize) -> Vec<u8> {
    const BLOCK: usize = 1024 * 1024;
    let padding = size.saturating_sub(film.len()).max(16);
    film.reserve(padding);
    film.extend(u32::try_from(padding).unwrap_or(u32::MAX).to_be_bytes());
    film.extend(b"free");
    let mut block = vec![0; BLOCK];
    rand::rngs::StdRng::seed_from_u64(1).fill_bytes(&mut block);
    let mut left = padding - 8;
    let mut number = 0_u64;
    while left > 0 {
        // No two blocks are the same, so that no two parts are.
        block[..8].copy_from_slice(&number.to_be_bytes());
        number += 1;
        let taken = left.min(BLOCK);
        film.extend_from_slice(&block[..taken]);
        left -= taken;
    }
    film
}
