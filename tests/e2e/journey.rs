//! An upload's way to a video that plays, over HTTP alone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use millrace_tests::{Clip, Person, Player, Stack, media, person::text, until};
use serde_json::json;

const READY: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_becomes_a_video_in_several_qualities_and_leaves_nothing_when_deleted()
-> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(10, "854x480")).await?;
    let video = person.sees_ready(&id, READY).await?;
    assert_eq!(
        (&video["progress"], &video["stage"], &video["error"]),
        (&json!(100), &json!("done"), &json!(null))
    );
    assert!(
        (video["duration"].as_f64().context("no duration")? - 10.0).abs() < 0.1,
        "{video}"
    );
    let qualities: Vec<&str> = video["qualities"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|q| q["name"].as_str())
        .collect();
    assert_eq!(qualities, ["480p", "360p", "240p"]);

    let player = Player::of(&person)?;
    let url = text(&video["hls_url"])?;
    let master = player.master(&url).await?;
    let sizes: Vec<&str> = master
        .variants
        .iter()
        .map(|variant| variant.resolution.as_str())
        .collect();
    assert_eq!(sizes.len(), 3, "{master:?}");
    assert!(
        master
            .variants
            .iter()
            .all(|variant| variant.bandwidth > 10_000),
        "{master:?}"
    );
    for variant in &master.variants {
        let rendition = player
            .rendition(&player.resolve(&url, &variant.uri)?)
            .await?;
        assert!(
            rendition.playlist.ended && rendition.playlist.kind.as_deref() == Some("VOD"),
            "{:?}",
            rendition.playlist
        );
        let stream = media::decoded(&rendition.file()).await?;
        assert_eq!(
            (stream.codec_name.as_str(), media::frames(&stream)?),
            ("h264", 300)
        );
        let size = format!(
            "{}x{}",
            stream.width.unwrap_or_default(),
            stream.height.unwrap_or_default()
        );
        assert_eq!(size, variant.resolution);
    }
    let sound = player.resolve(&url, master.audio.as_deref().context("no sound")?)?;
    let sound = player.rendition(&sound).await?;
    assert!(
        (sound.playlist.duration() - 10.0).abs() < 0.1,
        "{:?}",
        sound.playlist
    );
    media::decoded(&sound.file()).await?;
    let poster = player.bytes(&text(&video["poster_url"])?).await?;
    assert_eq!(&poster[..3], [0xff, 0xd8, 0xff]);

    let listed = person.get("/api/videos?owner=me").await?.expect(200)?;
    assert_eq!(listed["items"][0]["id"], json!(id));
    let public = Person::stranger(&stack)?
        .get("/api/videos")
        .await?
        .expect(200)?;
    assert_eq!(public["items"][0]["id"], json!(id));

    stack.quiet().await?;
    assert!(objects(&stack).await? > 0);
    assert_eq!(
        person
            .delete(&format!("/api/videos/{id}?forever=true"))
            .await?
            .status,
        204
    );
    person
        .get(&format!("/api/videos/{id}"))
        .await?
        .expect_problem(404, "not_found")?;
    stack.quiet().await?;
    assert_eq!(objects(&stack).await?, 0);
    let doomed: i64 = sqlx::query_scalar("select count(*) from doomed_objects")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(doomed, 0);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_goes_in_parts_and_completing_it_again_changes_nothing() -> Result<()> {
    let stack = Stack::with()
        .set("uploads.single_put_limit", 1_048_576)
        .start()
        .await?;
    let person = Person::register(&stack).await?;
    let bytes = tokio::fs::read(Clip::new(6, "640x360").noisy().file().await?).await?;
    let target = person
        .begin("holiday.mp4", bytes.len())
        .await?
        .expect(201)?;
    assert_eq!(target["method"], "multipart");
    assert!(
        target["part_count"].as_u64() > Some(1),
        "{} bytes: {target}",
        bytes.len()
    );
    let id = text(&target["upload_id"])?;
    let parts = person.put(&target, &bytes).await?;

    // After a reload, the page asks what has arrived.
    let upload = person
        .get(&format!("/api/uploads/{id}"))
        .await?
        .expect(200)?;
    assert_eq!(
        (&upload["status"], &upload["part_count"]),
        (&json!("pending"), &target["part_count"])
    );
    assert_eq!(
        upload["parts"].as_array().map(Vec::len),
        parts.as_array().map(Vec::len)
    );

    let details = json!({ "title": "Holiday", "description": "At sea", "parts": parts });
    let path = format!("/api/uploads/{id}/complete");
    let at_once = try_join_all((0..5).map(|_| person.post(&path, details.clone()))).await?;
    let mut ids = Vec::new();
    for answer in at_once {
        ids.push(text(&answer.expect(201)?["id"])?);
    }
    ids.push(text(
        &person.post(&path, details).await?.expect(201)?["id"],
    )?);
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let rows: (i64, i64) = sqlx::query_as("select (select count(*) from videos), (select count(*) from queue.job where kind = 'probe')")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(rows, (1, 1));

    // The row pins the object that was there at completion.
    let (key, etag): (String, String) =
        sqlx::query_as("select original_key, original_etag from videos")
            .fetch_one(&stack.db)
            .await?;
    let head = stack.storage.head(&key).await?.context("no source")?;
    assert_eq!(
        (head.etag.as_str(), head.size),
        (etag.as_str(), bytes.len() as u64)
    );

    let _worker = stack.worker("worker").await?;
    person.sees_ready(&ids[0], READY).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_changed_after_completion_is_not_used() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::register(&stack).await?;
    let bytes = tokio::fs::read(Clip::new(10, "640x360").file().await?).await?;
    let target = person.begin("clip.mp4", bytes.len()).await?.expect(201)?;
    person.put(&target, &bytes).await?;
    let path = format!("/api/uploads/{}/complete", text(&target["upload_id"])?);
    let id = text(
        &person
            .post(&path, json!({ "title": "First" }))
            .await?
            .expect(201)?["id"],
    )?;
    // The address is still good, but takes nothing more; so somebody must have been in the store itself.
    let other: Vec<u8> = bytes.iter().rev().copied().collect();
    assert!(
        person.put(&target, &other).await.is_err(),
        "the source was overwritten by its presigned address"
    );
    let key: String = sqlx::query_scalar("select original_key from videos")
        .fetch_one(&stack.db)
        .await?;
    stack.storage.put(&key, other, "video/mp4").await?;
    let _worker = stack.worker("worker").await?;
    let video = person
        .sees(&id, "the video fails", READY, |video| {
            video["status"] == "failed"
        })
        .await?;
    assert_eq!(video["error"]["code"], "source_changed");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_can_be_watched_before_it_is_ready() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack
        .worker_with("worker", &[("worker.queues", "media=2,default=4")])
        .await?;
    let person = Person::register(&stack).await?;
    let id = person.upload(&Clip::new(60, "1280x720").unusual()).await?;
    let early = person
        .sees(&id, "the video is playable", READY, |video| {
            !video["hls_url"].is_null()
        })
        .await?;
    assert_eq!(
        (&early["status"], &early["playable"]),
        (&json!("processing"), &json!(true)),
        "{early}"
    );

    let player = Player::of(&person)?;
    let event_url = text(&early["hls_url"])?;
    let master = player.master(&event_url).await?;
    assert_eq!(master.variants.len(), 4, "{master:?}");
    let url = player.resolve(&event_url, &master.variants[0].uri)?;
    let first = player.media(&url).await?;
    assert_eq!(first.kind.as_deref(), Some("EVENT"));
    assert!(!first.segments.is_empty() && !first.ended, "{first:?}");
    let init = player
        .bytes(&player.resolve(&url, &first.maps[0].1)?)
        .await?;
    let segment = player
        .bytes(&player.resolve(&url, &first.segments[0].uri)?)
        .await?;
    let stream = media::decoded(&[init, segment].concat()).await?;
    // Players without an opinion begin with a modest quality.
    assert_eq!((media::frames(&stream)?, stream.height), (120, Some(480)));
    assert_eq!(
        person.video(&id).await?["status"],
        "processing",
        "too fast to prove anything"
    );

    // A growing playlist never takes back what it said.
    let mut known = first.clone();
    let mut sizes = vec![first.segments.len()];
    until("the playlist ends", READY, async || {
        let now = player.media(&url).await?;
        anyhow::ensure!(
            now.segments.starts_with(&known.segments),
            "{known:?} became {now:?}"
        );
        anyhow::ensure!(
            now.maps == first.maps && now.target_duration == first.target_duration,
            "{known:?} became {now:?}"
        );
        if now.segments.len() > known.segments.len() {
            sizes.push(now.segments.len());
        }
        known = now;
        Ok(known.ended.then_some(()))
    })
    .await?;
    assert!(sizes.len() >= 3, "it grew only {sizes:?}");
    assert_eq!(known.segments.len(), 15);

    let ready = person.sees_ready(&id, READY).await?;
    let vod_url = text(&ready["hls_url"])?;
    assert_ne!(vod_url, event_url);
    let vod = player
        .media(&player.resolve(&vod_url, &player.master(&vod_url).await?.variants[0].uri)?)
        .await?;
    assert_eq!(
        (vod.kind.as_deref(), vod.ended, vod.segments.len()),
        (Some("VOD"), true, 15)
    );
    stack.end().await
}

async fn objects(stack: &Stack) -> Result<usize> {
    Ok(stack.storage.list("").await?.len())
}
