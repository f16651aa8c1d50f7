//! What must be true in the end, found out past everything that is tested: rows by SQL, objects in the store's folder,
//! processes in /proc, and frames by ffprobe.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result};
use millrace_tests::{
    Machines, Memory, Person, Player, Socket, Worker, media, person::text, processes, store,
};

/// Every upload became one video, which is ready, whole and contiguous.
pub(super) async fn videos(
    machines: &Machines,
    person: &Person,
    videos: &[(String, u32)],
) -> Result<()> {
    let rows: i64 = sqlx::query_scalar("select count(*) from videos")
        .fetch_one(&machines.db)
        .await?;
    assert_eq!(
        usize::try_from(rows)?,
        videos.len(),
        "videos that nobody uploaded"
    );
    let player = Player::of(person)?;
    for (id, seconds) in videos {
        let video = person.video(id).await?;
        assert_eq!(video["status"], "ready", "{video}");
        let url = text(&video["hls_url"])?;
        let master = player.master(&url).await?;
        assert!(!master.variants.is_empty());
        for variant in &master.variants {
            let rendition = player
                .rendition(&player.resolve(&url, &variant.uri)?)
                .await?;
            assert!(rendition.playlist.ended && rendition.playlist.discontinuities == 0);
            let mut times: Vec<i64> = media::packets(&rendition.file())
                .await?
                .iter()
                .map(|packet| packet.pts)
                .collect();
            times.sort_unstable();
            let frames = usize::try_from(*seconds)? * 30;
            assert_eq!(times.len(), frames, "{} of {id}", variant.resolution);
            let step = times[1] - times[0];
            let gaps = times.windows(2).filter(|pair| pair[1] - pair[0] != step);
            assert_eq!(gaps.count(), 0, "{} of {id} has gaps", variant.resolution);
        }
        let sound = master.audio.as_deref().context("the sound is lost")?;
        let sound = player.rendition(&player.resolve(&url, sound)?).await?;
        let packets = media::packets(&sound.file()).await?;
        let gaps = packets
            .windows(2)
            .filter(|pair| pair[1].pts - pair[0].pts != 1024);
        assert_eq!(gaps.count(), 0, "the sound of {id} has gaps");
        let length = sound.playlist.duration();
        assert!(
            (length - f64::from(*seconds)).abs() < 0.1,
            "{length} s of sound"
        );
    }
    Ok(())
}

/// Nothing that was stored was encoded again, every video was packaged and published once, and nothing waits.
pub(super) async fn work(machines: &Machines, blows: usize) -> Result<()> {
    let db = &machines.db;
    let endings: Vec<(String, String, i64)> = sqlx::query_as(
        "select kind, state::text, count(*) from queue.history
          where kind in ('package', 'publish', 'video_failed') group by 1, 2 order by 1, 2",
    )
    .fetch_all(db)
    .await?;
    let videos: i64 = sqlx::query_scalar("select count(*) from videos where status = 'ready'")
        .fetch_one(db)
        .await?;
    let once = |kind: &str| (kind.to_owned(), "completed".to_owned(), videos);
    assert_eq!(endings, [once("package"), once("publish")]);
    let waiting: i64 = sqlx::query_scalar(
        "select (select count(*) from queue.job) + (select count(*) from uploads u join videos v on v.upload_id = u.id
          where u.status <> 'completed')",
    )
    .fetch_one(db)
    .await?;
    assert_eq!(waiting, 0, "something is pending for ever");

    let (crashes, runs): (i64, i64) = sqlx::query_as(
        "select sum(crash_count)::bigint, sum(run_no - 1)::bigint from queue.history
          where kind in ('encode_chunk', 'encode_audio', 'remux')",
    )
    .fetch_one(db)
    .await?;
    // Runs of one part take over from each other: what a later run stored lies behind what the earlier ones did, in
    // every rendition. What was stored of renditions that were ahead, the later run encoded once more, for the others.
    let (backwards, ahead): (i64, i64) = sqlx::query_as(
        "with s as (select *, (rendition = 'audio') as audio,
                    lag(run_no) over (partition by video_id, generation, rendition, chunk order by n) as before
               from segments where rendition <> 'source'),
          began as (select video_id, generation, chunk, audio, run_no, min(n) as first
                      from s group by 1, 2, 3, 4, 5)
         select (select count(*) from s where before > run_no),
                (select count(*) from s join began b using (video_id, generation, chunk, audio)
                  where s.run_no < b.run_no and s.n >= b.first)",
    )
    .fetch_one(db)
    .await?;
    assert_eq!(backwards, 0, "an earlier run stored behind a later one");
    let objects = store::keys(&machines.store_folder())?;
    let segments = objects.iter().filter(|key| key.contains("/seg_")).count();
    let rows: i64 = sqlx::query_scalar("select count(*) from segments")
        .fetch_one(db)
        .await?;
    let extra = i64::try_from(segments)? - rows;
    eprintln!(
        "{blows} interruptions: {crashes} crashes of runs, {runs} further runs; {rows} segments, {extra} objects of \
         segments without a row, {ahead} segments encoded again for renditions that were behind"
    );
    // A run stores one segment after the other: at most one object has no row when it is interrupted.
    assert!(
        (0..=runs).contains(&extra),
        "{runs} further runs cost {extra} objects"
    );
    // Renditions of a run are one segment apart at most, give or take one that is just being stored.
    assert!(
        ahead <= 2 * runs,
        "{runs} further runs, {ahead} segments again"
    );
    Ok(())
}

/// Whoever comes now is told that every video is ready, and that nothing is being made.
pub(super) async fn last_states(person: &Person, videos: &[(String, u32)]) -> Result<()> {
    let mut socket = Socket::connect(person).await?;
    let mut memory = Memory::default();
    socket
        .subscribe(&format!("user:{}", person.id), &memory)
        .await?;
    for (id, _) in videos {
        let mut memory = Memory::default();
        let mut socket = Socket::connect(person).await?;
        socket.subscribe(&format!("video:{id}"), &memory).await?;
        socket
            .follow(&mut memory, Duration::from_secs(10), |video| {
                video["status"] == "ready"
            })
            .await?;
    }
    memory.take(&socket.hear(Duration::from_secs(10)).await?)?;
    assert!(memory.videos.is_empty(), "{:?}", memory.videos);
    Ok(())
}

/// Rows have their objects; after the sweep there are no others. Workers drain, and no encoder is left.
pub(super) async fn leftovers(machines: &Machines, workers: &mut [Worker]) -> Result<()> {
    let named = named(machines).await?;
    let objects = store::keys(&machines.store_folder())?;
    let missing: Vec<&String> = named.difference(&objects).collect();
    assert!(missing.is_empty(), "rows without objects: {missing:?}");
    for orphan in objects.difference(&named) {
        // What runs that were interrupted had stored before their rows, and nothing else.
        let made = ["hls/", "images/"]
            .iter()
            .any(|root| orphan.starts_with(root));
        assert!(made, "an orphan: {orphan}");
    }

    let sweep = ["sweep", "orphans", "--older-than", "0s", "--json"];
    let swept = machines.command("millrace", &sweep).await?;
    eprintln!("the sweep: {}", String::from_utf8_lossy(&swept).trim());
    let orphans = objects.difference(&named).count();
    let objects = store::keys(&machines.store_folder())?;
    assert_eq!(objects, named, "{orphans} orphans before the sweep");

    for worker in workers.iter_mut() {
        worker.terminate()?;
        let status = worker.ended(Duration::from_secs(40)).await?;
        assert!(status.success(), "{status}\n{}", worker.log());
    }
    let folder = machines.folder().display().to_string();
    let encoders: Vec<_> = processes::all()
        .into_iter()
        .filter(|process| process.command.contains("ffmpeg") && process.command.contains(&folder))
        .collect();
    assert!(encoders.is_empty(), "{encoders:?}");
    Ok(())
}

/// What rows say is in the store.
async fn named(machines: &Machines) -> Result<BTreeSet<String>> {
    let keys: Vec<String> = sqlx::query_scalar(
        "select key from segments union select init_key from segments
         union select init_key from video_qualities where init_key is not null
         union select thumbnail_key from videos where thumbnail_key is not null
         union select played ->> 'original_key' from videos where played is not null
         union select unnest(sheets) from storyboards
         union select key from video_thumbnails where key is not null
         union select file_key from videos where file_key is not null
         union select original_key from videos",
    )
    .fetch_all(&machines.db)
    .await?;
    Ok(keys.into_iter().collect())
}
