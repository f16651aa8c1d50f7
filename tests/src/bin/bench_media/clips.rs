//! What is transcoded: a texture with details of every size that wanders, with something in front of it that wanders
//! otherwise, film grain, and a sound with noise in it. Drawn once and kept in the system's temporary directory.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

/// A source as people upload it, with sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// H.264 at 14 Mbit/s, 1080p30: as phones and cameras make it, and too much to be served as it is.
    Camera,
    /// MPEG-4 part 2 at 4 Mbit/s, 1080p30: must be transcoded to be watched at all.
    Old,
    /// H.264 at 4 Mbit/s, closed groups of 2 s, 1080p30: plays in every browser.
    Standard,
    /// H.264 at 6 Mbit/s, 720p30.
    Small,
}

/// A texture: noise in three sizes.
const TEXTURE: &str = "nullsrc=s=3072x1728:r=1:d=1,geq=lum='random(1)*255':cb=128:cr=128,format=yuv444p,gblur=sigma=2[a];\
    nullsrc=s=512x288:r=1:d=1,geq=lum='random(2)*255':cb='96+random(3)*64':cr='96+random(4)*64',format=yuv444p,\
    scale=3072x1728:flags=bicubic[b];\
    nullsrc=s=48x27:r=1:d=1,geq=lum='random(5)*255':cb='64+random(6)*128':cr='64+random(7)*128',format=yuv444p,\
    scale=3072x1728:flags=bicubic[c];\
    [b][a]blend=all_mode=average[ab];[c][ab]blend=all_expr='A*0.55+B*0.45'";
/// What becomes of it.
const FILM: &str = "[0:v]format=yuv420p,loop=loop=-1:size=1:start=0,setpts=N/30/TB,split=2[p][q];\
    [p]crop=1920:1080:x='(iw-1920)/2*(1+sin(t/3.1))':y='(ih-1080)/2*(1+cos(t/4.3))'[back];\
    [q]crop=480:480:x='(iw-480)/2*(1+cos(t/2.3))':y='(ih-480)/2*(1+sin(t/1.7))',hue=h=120:s=2[front];\
    [back][front]overlay=x='(W-w)/2*(1+sin(t/1.3))':y='(H-h)/2*(1+cos(t/1.9))',noise=alls=2:allf=t,format=yuv420p[v];\
    [1:a][2:a]amix=inputs=2[a]";
/// Length of what is drawn, in seconds; longer ones repeat it.
const SECONDS: u32 = 180;

impl Source {
    /// For messages and for the files' names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Camera => "h264-14M-1080p30",
            Self::Old => "mpeg4-4M-1080p30",
            Self::Standard => "h264-4M-1080p30",
            Self::Small => "h264-6M-720p30",
        }
    }

    /// A file of so many seconds, drawn if it was not before.
    pub(crate) async fn file(self, seconds: u32) -> Result<PathBuf> {
        let whole = self.whole().await?;
        if seconds == SECONDS {
            return Ok(whole);
        }
        let path = folder()?.join(format!("{}-{seconds}s.mp4", self.name()));
        let loops = (seconds.div_ceil(SECONDS) - 1).to_string();
        let end = seconds.to_string();
        let words = ["-stream_loop", &loops, "-i"].map(str::to_owned);
        let mut args = words.to_vec();
        args.push(whole.display().to_string());
        args.extend(["-t", &end, "-c", "copy"].map(str::to_owned));
        draw(&path, &args).await?;
        Ok(path)
    }

    async fn whole(self) -> Result<PathBuf> {
        let path = folder()?.join(format!("{}-{SECONDS}s.mp4", self.name()));
        if path.exists() {
            return Ok(path);
        }
        let mut args = match self {
            Self::Camera => film().await?,
            _ => {
                let film = Box::pin(Self::Camera.whole()).await?;
                vec!["-i".to_owned(), film.display().to_string()]
            }
        };
        args.extend(self.codec().iter().map(|word| (*word).to_owned()));
        draw(&path, &args).await?;
        Ok(path)
    }

    fn codec(self) -> &'static [&'static str] {
        match self {
            Self::Camera => &[
                "-c:v", "libx264", "-preset", "veryfast", "-b:v", "14M", "-maxrate", "18M",
                "-bufsize", "28M", "-g", "60", "-c:a", "aac", "-b:a", "160k", "-ac", "2",
            ],
            Self::Old => &["-c:v", "mpeg4", "-b:v", "4M", "-g", "60", "-c:a", "copy"],
            Self::Standard => &[
                "-c:v", "libx264", "-preset", "veryfast", "-b:v", "4M", "-maxrate", "5M",
                "-bufsize", "8M", "-g", "60", "-flags:v", "+cgop", "-pix_fmt", "yuv420p", "-c:a",
                "copy",
            ],
            Self::Small => &[
                "-vf",
                "scale=1280:720",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-b:v",
                "6M",
                "-maxrate",
                "8M",
                "-bufsize",
                "12M",
                "-g",
                "60",
                "-c:a",
                "copy",
            ],
        }
    }
}

/// Where clips are kept.
fn folder() -> Result<PathBuf> {
    let folder = std::env::temp_dir().join("millrace-bench-1");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The words that draw the film.
async fn film() -> Result<Vec<String>> {
    let texture = folder()?.join("texture.png");
    let words = ["-filter_complex", TEXTURE, "-frames:v", "1"].map(str::to_owned);
    draw(&texture, &words).await?;
    let noise = format!(
        "anoisesrc=color=pink:amplitude=0.2:sample_rate=48000:duration={SECONDS},tremolo=f=0.7"
    );
    let tone = format!("sine=frequency=330:sample_rate=48000:duration={SECONDS}");
    let (texture, end) = (texture.display().to_string(), SECONDS.to_string());
    let words = [
        "-i",
        &texture,
        "-f",
        "lavfi",
        "-i",
        &noise,
        "-f",
        "lavfi",
        "-i",
        &tone,
        "-filter_complex",
        FILM,
        "-map",
        "[v]",
        "-map",
        "[a]",
        "-r",
        "30",
        "-t",
        &end,
    ];
    Ok(words.map(str::to_owned).to_vec())
}

/// Lets ffmpeg make `path`, unless it is there.
async fn draw(path: &Path, args: &[String]) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    eprintln!("drawing {}", path.display());
    let name = path.file_name().context("a file without a name")?;
    let draft = path.with_file_name(format!("draft-{}", name.to_string_lossy()));
    let is_film = path.extension().is_some_and(|end| end == "mp4");
    let index_first = is_film.then_some(["-movflags", "+faststart"]);
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(args)
        .args(index_first.into_iter().flatten())
        .arg(&draft)
        .kill_on_drop(true)
        .status()
        .await
        .context("ffmpeg cannot be started")?;
    anyhow::ensure!(status.success(), "ffmpeg cannot draw {}", path.display());
    tokio::fs::rename(&draft, path).await?;
    Ok(())
}
