//! What is served keeps the rules of the HLS authoring specification, to the last byte, while it is made and after.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_domain::media::playlist::rules::{self, Report};
use millrace_tests::{Clip, Person, Player, Stack, person::text};

const READY: Duration = Duration::from_secs(120);

async fn examined(player: &Player, master: &str) -> Report {
    rules::examine(master, async |url: &str| {
        if url.contains(".m3u8") {
            player.text(url).await.map(String::into_bytes)
        } else {
            player.bytes(url).await
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_is_kept_over_http() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let player = Player::of(&person)?;
    let id = person
        .upload(&Clip::new(30, "1280x720").fps("30000/1001").unusual())
        .await?;
    let growing = |video: &serde_json::Value| {
        let url = video["hls_url"].as_str().unwrap_or_default();
        url.contains("/event/") || url.contains("/vod/")
    };
    let early = person.sees(&id, "it plays", READY, growing).await?;
    let event = player.resolve(stack.address(), &text(&early["hls_url"])?)?;
    let event = event.replace("/vod/", "/event/");
    let report = examined(&player, &event).await;
    // Renditions are read one after the other while they grow, so their numbers of segments may differ.
    let real: Vec<_> = report
        .violations
        .iter()
        .filter(|broken| !broken.what.contains(" segments and the picture "))
        .filter(|broken| !broken.what.contains("segments do not begin where"))
        .filter(|broken| !broken.what.starts_with("the sound ends "))
        .collect();
    assert!(real.is_empty(), "{}", report.complaint());
    assert_eq!((report.variants, report.sounds), (4, 1));

    let ready = person.sees_ready(&id, READY).await?;
    let vod = player.resolve(stack.address(), &text(&ready["hls_url"])?)?;
    let report = examined(&player, &vod).await;
    assert!(report.violations.is_empty(), "{}", report.complaint());
    assert_eq!((report.variants, report.iframes, report.sounds), (4, 4, 1));
    assert_eq!(report.segments, 5 * 8);
    // The EVENT playlist has gained its end.
    let report = examined(&player, &event).await;
    assert!(report.violations.is_empty(), "{}", report.complaint());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_song_plays_and_is_drawn() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let player = Player::of(&person)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("song.mp3");
    let drawn = tokio::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "sine=d=10"])
        .args(["-c:a", "libmp3lame"])
        .arg(&path)
        .status()
        .await?;
    anyhow::ensure!(drawn.success(), "no song");
    let bytes = tokio::fs::read(&path).await?;
    let video = person.upload_bytes("song.mp3", &bytes, "A song").await?;
    let ready = person.sees_ready(&text(&video["id"])?, READY).await?;
    let url = player.resolve(stack.address(), &text(&ready["hls_url"])?)?;
    let report = examined(&player, &url).await;
    assert!(report.violations.is_empty(), "{}", report.complaint());
    assert_eq!((report.variants, report.segments), (1, 3));
    let poster = ready["poster_url"].as_str().context("it has no poster")?;
    let poster = player
        .bytes(&player.resolve(stack.address(), poster)?)
        .await?;
    assert_eq!(poster[..3], [0xff, 0xd8, 0xff]);
    stack.end().await
}
