//! Every frame on the grid: what the chunks of several workers make is one film, frame by frame.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Person, Player, Rendition, Stack, media, person::text};

/// The last one begins at 59.993 s.
const FRAMES: usize = 1799;
const FRAMES_OF_SEGMENT: usize = 120;

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_two_workers_join_without_a_seam_at_29_97_frames_a_second() -> Result<()> {
    let stack = Stack::start().await?;
    let _one = stack
        .worker_with("one", &[("worker.queues", "media=1,default=2")])
        .await?;
    let _two = stack
        .worker_with("two", &[("worker.queues", "media=1,default=2")])
        .await?;
    let person = Person::register(&stack).await?;
    let id = person
        .upload(&Clip::new(60, "640x360").fps("30000/1001"))
        .await?;
    let video = person.sees_ready(&id, Duration::from_secs(150)).await?;
    let grid: (i32, i32, i64, i32, i64) = sqlx::query_as(
        "select fps_num, fps_den, frame_count, segment_frames, (select count(*) from video_chunks) from videos",
    )
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(
        (grid.0, grid.1, usize::try_from(grid.2)?, grid.3),
        (30_000, 1001, FRAMES, 120)
    );
    assert!(grid.4 >= 3, "{} chunks", grid.4);

    let player = Player::of(&person)?;
    let url = text(&video["hls_url"])?;
    let master = player.master(&url).await?;
    assert_eq!(master.variants.len(), 2);
    for variant in &master.variants {
        let rendition = player
            .rendition(&player.resolve(&url, &variant.uri)?)
            .await?;
        pictures_are_on_the_grid(&rendition).await?;
    }
    let sound = player.resolve(&url, master.audio.as_deref().context("no sound")?)?;
    sound_has_no_gap(&player.rendition(&sound).await?).await?;

    // Equal bytes share one init segment, whichever chunk was first.
    let inits: Vec<(String, i64)> = sqlx::query_as(
        "select rendition, count(distinct init_key) from segments group by 1 order by 1",
    )
    .fetch_all(&stack.db)
    .await?;
    assert_eq!(
        inits,
        [
            ("audio".to_owned(), 1),
            ("v240".to_owned(), 1),
            ("v360".to_owned(), 1)
        ]
    );
    stack.end().await
}

async fn pictures_are_on_the_grid(rendition: &Rendition) -> Result<()> {
    let whole = rendition.file();
    let stream = media::decoded(&whole).await?;
    assert_eq!(media::frames(&stream)?, FRAMES as i64);
    let timescale = media::timescale(&stream)?;
    let mut shown: Vec<i64> = media::packets(&whole)
        .await?
        .iter()
        .map(|packet| packet.pts)
        .collect();
    shown.sort_unstable();
    let frame = timescale * 1001 / 30_000;
    assert_eq!(
        frame * 30_000,
        timescale * 1001,
        "a frame has no whole length at {timescale}"
    );
    let wanted: Vec<i64> = (0..FRAMES as i64)
        .map(|k| 10 * timescale + k * frame)
        .collect();
    assert_eq!(shown, wanted);

    for n in 0..rendition.segments.len() {
        let packets = media::packets(&rendition.file_of(n)).await?;
        let first = packets.first().context("an empty segment")?;
        assert!(first.key, "segment {n} does not begin with a key frame");
        let earliest = packets.iter().map(|packet| packet.pts).min();
        assert_eq!(
            earliest,
            Some(first.pts),
            "segment {n} begins with a frame of its neighbour"
        );
        assert_eq!(first.pts, wanted[n * FRAMES_OF_SEGMENT]);
        assert_eq!(
            packets.len(),
            FRAMES_OF_SEGMENT.min(FRAMES - n * FRAMES_OF_SEGMENT),
            "segment {n}"
        );
        assert!(
            packets.windows(2).all(|pair| pair[0].dts < pair[1].dts),
            "segment {n} decodes backwards"
        );
        let listed = rendition.playlist.segments[n].duration;
        let real = packets.len() as f64 * 1001.0 / 30_000.0;
        assert!(
            (listed - real).abs() < 0.002,
            "segment {n} is listed with {listed} s and has {real} s"
        );
    }
    assert_eq!(
        (
            rendition.playlist.discontinuities,
            rendition.playlist.target_duration
        ),
        (0, 4)
    );
    Ok(())
}

/// A packet of AAC has 1024 samples, whichever segment it is in.
async fn sound_has_no_gap(rendition: &Rendition) -> Result<()> {
    let whole = rendition.file();
    assert_eq!(media::timescale(&media::decoded(&whole).await?)?, 48_000);
    let packets = media::packets(&whole).await?;
    let gaps: Vec<_> = packets
        .windows(2)
        .filter(|pair| pair[1].pts - pair[0].pts != 1024)
        .collect();
    assert!(gaps.is_empty(), "{gaps:?}");
    assert!(
        (rendition.playlist.duration() - 60.0).abs() < 0.1,
        "{:?}",
        rendition.playlist
    );
    Ok(())
}
