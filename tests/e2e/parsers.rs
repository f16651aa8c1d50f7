//! Players that others wrote read our playlists as we mean them, while a video is being made and once it is ready.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Player, Stack, parsers::Reading, person::text};

const READY: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn others_read_our_playlists_as_we_do() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("worker").await?;
    let person = Person::register(&stack).await?;
    let player = Player::of(&person)?;
    let id = person
        .upload(&Clip::new(30, "1280x720").fps("30000/1001").unusual())
        .await?;
    let early = person
        .sees(&id, "the video is playable", READY, |video| {
            !video["hls_url"].is_null()
        })
        .await?;
    let event = player.resolve(stack.address(), &text(&early["hls_url"])?)?;
    anyhow::ensure!(event.contains("/event/"), "too fast to prove anything");
    // It grows between two readings, so one is taken of each parser and each is compared with what it must say.
    for reading in [
        Reading::by_npm(&event).await?,
        Reading::by_pypi(&event).await?,
    ] {
        assert_eq!(reading.wrong, [""; 0]);
        assert_eq!(
            (reading.variants.len(), reading.iframes.len()),
            (4, 0),
            "{reading:?}"
        );
        assert_eq!(reading.lists.len(), 5);
        for (uri, list) in &reading.lists {
            assert_eq!(list.kind.as_deref(), Some("EVENT"), "{uri}");
            assert!(!list.segments.is_empty() && !list.iframes_only, "{uri}");
        }
    }

    let ready = person.sees_ready(&id, READY).await?;
    let vod = player.resolve(stack.address(), &text(&ready["hls_url"])?)?;
    let (npm, pypi) = (Reading::by_npm(&vod).await?, Reading::by_pypi(&vod).await?);
    assert_eq!(npm.wrong, [""; 0]);
    for (npm, pypi) in npm.variants.iter().zip(&pypi.variants) {
        assert_eq!(npm, pypi);
    }
    assert_eq!(npm.sounds, pypi.sounds);
    assert_eq!(npm.lists, pypi.lists);
    assert_eq!(npm.iframes.len(), pypi.iframes.len());

    let ours = player.master(&vod).await?;
    assert_eq!(
        (npm.variants.len(), npm.iframes.len(), npm.sounds.len()),
        (4, 4, 1)
    );
    for (read, ours) in npm.variants.iter().zip(&ours.variants) {
        assert_eq!(read.uri, player.resolve(&vod, &ours.uri)?);
        assert_eq!(read.bandwidth, ours.bandwidth);
        assert_eq!(read.resolution.as_deref(), Some(ours.resolution.as_str()));
        let average = read.average.context("no AVERAGE-BANDWIDTH")?;
        assert!(average <= read.bandwidth && average > 10_000, "{read:?}");
        assert_eq!(read.frame_rate, Some(29.97));
        assert!(
            read.codecs.starts_with("avc1.") && read.codecs.ends_with(",mp4a.40.2"),
            "{read:?}"
        );
        assert_eq!(read.audio.as_deref(), Some(npm.sounds[0].group.as_str()));
        let list = &npm.lists[&read.uri];
        let media = player.media(&read.uri).await?;
        assert_eq!((list.kind.as_deref(), list.ended), (Some("VOD"), true));
        assert_eq!(list.segments.len(), media.segments.len());
        for (read_segment, segment) in list.segments.iter().zip(&media.segments) {
            assert_eq!(read_segment.uri, player.resolve(&read.uri, &segment.uri)?);
            assert!((read_segment.duration - segment.duration).abs() < 1e-6);
            assert!(read_segment.map.is_some());
        }
        let total: f64 = list.segments.iter().map(|segment| segment.duration).sum();
        assert!((total - 30.0).abs() < 0.1, "{total}");
    }
    for read in &npm.iframes {
        let list = &npm.lists[&read.uri];
        assert!(list.iframes_only && list.ended, "{list:?}");
        assert!(
            list.segments.iter().all(|segment| segment.range.is_some()),
            "{list:?}"
        );
    }
    stack.end().await
}
