//! Every kind of input, from upload to the end of its playback in a browser. That frames, timestamps and playlists are
//! right is the media matrix's to say (`domain/tests/media/matrix`); this is whether a browser agrees.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use millrace_tests::{Person, Stack, person::text};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::browser::journeys_with;

/// A name, whether there is a picture and a sound, and how ffmpeg makes it.
const KINDS: [(&str, bool, bool, &str); 14] = [
    (
        "turned.mp4",
        true,
        true,
        "{picture} {sound} {x264} -metadata:s:v:0 rotate=90",
    ),
    (
        "upright.mp4",
        true,
        true,
        "-f lavfi -i testsrc2=s=180x320:r=25:d=3 {sound} {x264}",
    ),
    (
        "odd.mp4",
        true,
        true,
        "-f lavfi -i testsrc2=s=399x261:r=25:d=3 {sound} {x264} -pix_fmt yuv444p",
    ),
    (
        "anamorphic.mp4",
        true,
        true,
        "{picture} {sound} -vf setsar=16/11 {x264}",
    ),
    (
        "irregular.mkv",
        true,
        true,
        "{picture} {sound} -vf setpts=(N+mod(N\\,3))/25/TB -vsync vfr {x264}",
    ),
    (
        "slow_motion.mp4",
        true,
        true,
        "-f lavfi -i testsrc2=s=320x180:r=120:d=3 {sound} {x264}",
    ),
    (
        "slides.mp4",
        true,
        true,
        "-f lavfi -i testsrc2=s=320x180:r=1:d=4 {sound} {x264}",
    ),
    (
        "interlaced.ts",
        true,
        true,
        "-f lavfi -i testsrc2=s=320x192:r=50:d=3 {sound} -vf tinterlace=interleave_top \
      -flags +ilme+ildct -c:v mpeg2video -c:a mp2",
    ),
    (
        "hdr.mkv",
        true,
        true,
        "{picture} {sound} {x264} -pix_fmt yuv420p10le -color_primaries bt2020 -color_trc smpte2084 \
      -colorspace bt2020nc",
    ),
    (
        "two_languages.mkv",
        true,
        true,
        "{picture} {sound} {sound} -map 0 -map 1 -map 2 {x264}",
    ),
    (
        "silent.webm",
        true,
        false,
        "{picture} -c:v libvpx -deadline realtime",
    ),
    (
        "old.avi",
        true,
        true,
        "{picture} {sound} -c:v mpeg4 -c:a libmp3lame",
    ),
    (
        "blink.mp4",
        true,
        false,
        "-f lavfi -i testsrc2=s=320x180:r=25:d=0.04 {x264}",
    ),
    ("song.mp3", false, true, "{sound} -c:a libmp3lame"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_plays_to_its_end_in_a_browser() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let mut ids = Vec::new();
    for (name, _, _, how) in KINDS {
        let path = stack.folder().join(name);
        draw(&path, how).await?;
        let bytes = tokio::fs::read(&path).await?;
        let video = person.upload_bytes(name, &bytes, name).await?;
        ids.push(text(&video["id"])?);
    }
    let mut kinds = Vec::new();
    for ((name, picture, sound, _), id) in KINDS.iter().zip(&ids) {
        let video = person.sees_ready(id, Duration::from_secs(120)).await?;
        let qualities = video["qualities"].as_array().context("no qualities")?;
        let size = |q: &Value| format!("{}x{}", q["width"], q["height"]);
        let sizes: Vec<String> = qualities.iter().map(size).collect();
        assert_eq!(sizes.is_empty(), !picture, "{name}: {video}");
        assert!(video["poster_url"].is_string(), "{name} has no poster");
        kinds.push(json!({
            "id": id, "title": name, "picture": picture, "sound": sound, "sizes": sizes,
        }));
    }
    let all = serde_json::to_string(&kinds)?;
    let said = journeys_with(&stack, &["kinds.spec.ts"], &[("KINDS", &all)]).await?;
    let passed = format!("{} passed", KINDS.len());
    assert!(said.contains(&passed), "{said}");
    stack.end().await
}

async fn draw(path: &Path, how: &str) -> Result<()> {
    let how = how
        .replace("{picture}", "-f lavfi -i testsrc2=s=320x180:r=25:d=3")
        .replace("{sound}", "-f lavfi -i sine=d=3:r=48000")
        .replace("{x264}", "-c:v libx264 -preset ultrafast");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(how.split_whitespace())
        .arg(path)
        .output()
        .await?;
    anyhow::ensure!(
        made.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}
