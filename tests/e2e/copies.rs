//! Sources that need no encoding are watched as copies, long before their ladder is there.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_jobs::flows;
use millrace_tests::{
    Clip, Person, Player, Stack, Worker,
    media::{decoded, frames},
    person::text,
    until,
};
use reqwest::{Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};

use crate::browser::journeys_with;

/// Small enough for a file.
fn small() -> Clip {
    Clip::new(16, "1280x720")
}

/// Too long for a file.
fn long() -> Clip {
    Clip::new(80, "640x360")
}

/// A worker that takes its time over the ladder.
async fn slow(stack: &Stack) -> Result<Worker> {
    stack
        .worker_with("slow", &[("media.preset", "veryslow")])
        .await
}

/// Lets a faster one do the rest.
async fn finish(stack: &Stack, mut slow: Worker, person: &Person, id: &str) -> Result<Worker> {
    slow.terminate()?;
    slow.ended(Duration::from_secs(60)).await?;
    let fast = stack
        .worker_with("fast", &[("media.preset", "ultrafast")])
        .await?;
    let video = person.sees_ready(id, Duration::from_secs(150)).await?;
    stack.quiet().await?;
    let hls = text(&video["hls_url"])?;
    assert!(hls.ends_with("/vod/master.m3u8"), "{hls}");
    let master = Player::of(person)?.master(&hls).await?;
    assert!(!master.variants.is_empty());
    for variant in master.variants {
        assert!(variant.uri.starts_with('v'), "{}", variant.uri);
    }
    Ok(fast)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_standard_source_plays_at_once_as_a_file() -> Result<()> {
    let stack = Stack::start().await?;
    let worker = slow(&stack).await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&small()).await?;
    let video = person
        .sees(&id, "it plays", Duration::from_secs(60), |video| {
            video["playable"] == true
        })
        .await?;
    assert_eq!(
        (&video["status"], &video["hls_url"]),
        (&json!("processing"), &Value::Null)
    );

    // The bytes are the store's, which answers ranges; they are a copy, and not what was uploaded.
    let url = text(&video["mp4_url"])?;
    let file = Player::of(&person)?.bytes(&url).await?;
    assert_eq!(frames(&decoded(&file).await?)?, 16 * 30);
    assert_ne!(file, tokio::fs::read(small().file().await?).await?);
    let http = Client::builder()
        .no_proxy()
        .redirect(Policy::limited(1))
        .build()?;
    let part = http
        .get(format!("{}{url}", person.base()))
        .header("range", "bytes=100-199")
        .send()
        .await?;
    assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers()["content-type"], "video/mp4");
    assert_eq!(part.bytes().await?, file[100..200]);

    let _fast = finish(&stack, worker, &person, &id).await?;
    drop_copies(&stack, &person, &id).await?;
    assert_eq!(person.video(&id).await?["mp4_url"], Value::Null);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_standard_source_streams_at_once_as_a_copy_of_its_picture() -> Result<()> {
    let stack = Stack::start().await?;
    let worker = slow(&stack).await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&long()).await?;
    let video = person
        .sees(&id, "it streams", Duration::from_secs(60), |video| {
            video["hls_url"].is_string()
        })
        .await?;
    assert_eq!(video["mp4_url"], Value::Null);
    let hls = text(&video["hls_url"])?;
    assert!(hls.ends_with("/remux/master.m3u8"), "{hls}");

    // All of it is there while the ladder has hardly begun.
    let player = Player::of(&person)?;
    let master = player.master(&hls).await?;
    assert_eq!(master.variants.len(), 1);
    assert_eq!(master.variants[0].resolution, "640x360");
    let picture = player.resolve(&hls, &master.variants[0].uri)?;
    let sound = player.resolve(&hls, &master.audio.context("there is no sound")?)?;
    for url in [&picture, &sound] {
        until("the list ends", Duration::from_secs(60), async || {
            Ok(player.media(url).await?.ended.then_some(()))
        })
        .await?;
    }
    assert_eq!(person.video(&id).await?["status"], "processing");
    let picture = player.rendition(&picture).await?;
    assert_eq!(frames(&decoded(&picture.file()).await?)?, 80 * 30);
    let longest = picture.playlist.segments.iter().map(|s| s.duration);
    let longest = longest.fold(0.0, f64::max);
    assert!(longest.round() as u64 <= picture.playlist.target_duration);
    let sound = player.rendition(&sound).await?;
    assert_eq!(
        sound.playlist.target_duration,
        picture.playlist.target_duration
    );
    let seconds: f64 = sound.playlist.segments.iter().map(|s| s.duration).sum();
    assert!((seconds - 80.0).abs() < 0.1, "{seconds}");

    let _fast = finish(&stack, worker, &person, &id).await?;
    let copies = format!("hls/{id}/1/source/");
    assert!(!stack.storage.list(&copies).await?.is_empty());
    drop_copies(&stack, &person, &id).await?;
    assert!(stack.storage.list(&copies).await?.is_empty());
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_play_in_a_browser() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = slow(&stack).await?;
    let (small, long) = (small().file().await?, long().file().await?);
    let files = [
        ("SMALL", small.to_str().context("not a name")?),
        ("LONG", long.to_str().context("not a name")?),
    ];
    let said = journeys_with(&stack, &["copies.spec.ts"], &files).await?;
    assert!(said.contains("2 passed"), "{said}");
    // What nobody waits for any more.
    let left: i64 = sqlx::query_scalar("select count(*) from videos where deleted_at is null")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(left, 0, "the journeys delete what they uploaded");
    stack.end().await
}

/// Drops the copies as the sweep does a day later, and sees that the ladder still plays.
async fn drop_copies(stack: &Stack, person: &Person, id: &str) -> Result<()> {
    let dropped = flows::drop_old_copies(&stack.db, &stack.notifier, Duration::ZERO).await?;
    assert_eq!(dropped, 1);
    stack.quiet().await?;
    let video = person.video(id).await?;
    let player = Player::of(person)?;
    let hls = text(&video["hls_url"])?;
    let master = player.master(&hls).await?;
    let rung = player.resolve(&hls, &master.variants[0].uri)?;
    assert!(player.media(&rung).await?.ended);
    Ok(())
}
