//! Workers that die, freeze, or are told to go, in the middle of their work.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_domain::videos::Video;
use millrace_tests::{Clip, Film, Stack, Worker, processes, until};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use uuid::Uuid;

/// How many workers are killed.
const KILLS: usize = 6;
/// Renditions of a 640x360 source, the sound included.
const RENDITIONS: i64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_cost_their_open_segments_and_nothing_else() -> Result<()> {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let stack = Stack::with_short_leases()
        .set("media.preset", "medium")
        .start()
        .await?;
    let mut workers = [stack.worker("a").await?, stack.worker("b").await?];
    let clip = Clip::new(36, "640x360");
    let mut films = Vec::new();
    for _ in 0..3 {
        films.push(Film::start(&stack, &clip).await?);
    }
    let mut killed = 0;
    for round in 0..KILLS {
        let victim = random.random_range(0..workers.len());
        if !is_encoding(&stack, &workers[victim]).await? {
            break; // All is done.
        }
        // In the middle of a segment, or just before or after one is stored: wherever it is by then.
        tokio::time::sleep(Duration::from_millis(random.random_range(50..1500))).await;
        workers[victim].kill()?;
        killed += 1;
        workers[victim] = stack.worker(&format!("after-kill-{round}")).await?;
    }
    assert!(killed >= 3, "only {killed} workers could be killed in time");
    let mut extra = 0;
    for film in &films {
        let video = film.ready(&stack, Duration::from_secs(180)).await?;
        let segments = segments_are_complete(&stack, &video).await?;
        let objects = stack.storage.list(&format!("hls/{}/", video.id)).await?;
        let objects = objects.iter().filter(|key| key.contains("/seg_")).count();
        extra += objects - usize::try_from(segments)?;
        let packages: i64 = sqlx::query_scalar(
            "select count(*) from queue.history where kind = 'package' and state = 'completed' and args ->> 'video' = $1",
        )
        .bind(video.id.to_string())
        .fetch_one(&stack.db)
        .await?;
        assert_eq!(packages, 1);
    }
    // Each of a killed worker's jobs (two slots) may have stored an object without its row, and made segments of one
    // rendition whose counterpart in another was still open.
    let most = killed * 2 * usize::try_from(RENDITIONS)?;
    assert!(
        extra <= most,
        "{killed} kills cost {extra} segments, more than {most}"
    );
    // By their errors: the counts are forgiven when a run advances.
    let crashes: i64 = sqlx::query_scalar(
        r#"select count(*) from queue.history where errors @> '[{"code": "crashed"}]'"#,
    )
    .fetch_one(&stack.db)
    .await?;
    assert!(crashes > 0, "no job was hit");
    let folder = stack.folder().display().to_string();
    let own: Vec<i32> = workers.iter().map(|worker| worker.pid()).collect();
    let orphans: Vec<_> = processes::all()
        .into_iter()
        .filter(|process| {
            process.command.contains("ffmpeg")
                && process.command.contains(&folder)
                && !own.contains(&process.parent)
        })
        .collect();
    assert!(orphans.is_empty(), "{orphans:?}");
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_worker_that_comes_back_changes_nothing() -> Result<()> {
    let stack = Stack::with_short_leases()
        .set("worker.queues", "media=1,default=2")
        .start()
        .await?;
    let mut zombie = stack
        .worker_with("zombie", &[("media.preset", "veryslow")])
        .await?;
    let film = Film::start(&stack, &Clip::new(28, "640x360")).await?;
    film.segments_stored(&stack, 2, Duration::from_secs(60))
        .await?;
    let (job, run_no) = held(&stack, &zombie)
        .await?
        .context("the worker holds no chunk")?;
    zombie.freeze()?;

    let _heir = stack.worker("heir").await?;
    film.ready(&stack, Duration::from_secs(120)).await?;
    let before = record(&stack, job).await?;
    assert!(
        before["run_no"].as_i64() > Some(i64::from(run_no)),
        "the heir did not run it: {before}"
    );
    let rows = rows(&stack).await?;

    zombie.thaw()?;
    until("the zombie is back", Duration::from_secs(15), async || {
        anyhow::ensure!(zombie.is_running(), "the zombie died:\n{}", zombie.log());
        // Its encoders are stopped because its lease is lost.
        Ok(processes::encoders(zombie.pid()).is_empty().then_some(()))
    })
    .await?;
    // It takes work again, so it has been through everything that it held.
    let next = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    next.ready(&stack, Duration::from_secs(120)).await?;
    assert_eq!(record(&stack, job).await?, before);
    let now: Vec<_> = self::rows(&stack)
        .await?
        .into_iter()
        .filter(|row| row["video_id"] == film.id.to_string())
        .collect();
    assert_eq!(now, rows);
    segments_are_complete(&stack, &film.row(&stack).await?).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_told_to_go_gives_its_jobs_back_uncharged() -> Result<()> {
    const DRAIN: Duration = Duration::from_secs(2);
    let stack = Stack::with_short_leases()
        .set("worker.queues", "media=1,default=2")
        .set("worker.drain_timeout", "2s")
        .start()
        .await?;
    let mut leaving = stack
        .worker_with("leaving", &[("media.preset", "veryslow")])
        .await?;
    let film = Film::start(&stack, &Clip::new(32, "854x480")).await?;
    film.segments_stored(&stack, 1, Duration::from_secs(90))
        .await?;
    let (job, run_no) = until("a chunk is held", Duration::from_secs(10), async || {
        held(&stack, &leaving).await
    })
    .await?;
    leaving.terminate()?;
    let status = leaving.ended(DRAIN + Duration::from_secs(5)).await?;
    assert!(status.success(), "{status}\n{}", leaving.log());
    let row: (String, i32, i32, i32) = sqlx::query_as(
        "select state::text, attempt, crash_count, run_no from queue.job where id = $1",
    )
    .bind(job)
    .fetch_one(&stack.db)
    .await?;
    assert_eq!(row, ("available".to_owned(), 0, 0, run_no));
    assert!(processes::encoders(leaving.pid()).is_empty());
    let running: i64 = sqlx::query_scalar("select count(*) from queue.job where state = 'running'")
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(running, 0);

    let _next = stack.worker("next").await?;
    let video = film.ready(&stack, Duration::from_secs(150)).await?;
    segments_are_complete(&stack, &video).await?;
    let ended = record(&stack, job).await?;
    assert_eq!(
        (&ended["attempt"], &ended["crash_count"], &ended["state"]),
        (&1.into(), &0.into(), &"completed".into())
    );
    stack.end().await
}

/// Waits until the worker runs an encoder; false when there is nothing left to encode.
async fn is_encoding(stack: &Stack, worker: &Worker) -> Result<bool> {
    until("the worker encodes, or all is done", Duration::from_secs(60), async || {
        let left: i64 = sqlx::query_scalar(
            "select count(*) from queue.job where kind in ('probe', 'encode_chunk', 'encode_audio')",
        )
        .fetch_one(&stack.db)
        .await?;
        if left == 0 {
            return Ok(Some(false));
        }
        // A job that crashed its workers too often is taken for a poison pill, rightly: let it finish.
        let tired: bool = sqlx::query_scalar(
            "select exists (select from queue.job where worker_id = $1 and state = 'running' and (crash_count > 2 or attempt > 3))",
        )
        .bind(worker.id)
        .fetch_one(&stack.db)
        .await?;
        Ok((!tired && !processes::encoders(worker.pid()).is_empty()).then_some(true))
    })
    .await
}

/// The chunk that a worker is at, and the number of its run.
async fn held(stack: &Stack, worker: &Worker) -> Result<Option<(Uuid, i32)>> {
    let held = sqlx::query_as(
        "select id, run_no from queue.job where kind = 'encode_chunk' and state = 'running' and worker_id = $1",
    );
    Ok(held.bind(worker.id).fetch_optional(&stack.db).await?)
}

/// How a job ended, whole.
async fn record(stack: &Stack, job: Uuid) -> Result<Value> {
    let all: Vec<Value> =
        sqlx::query_scalar("select to_jsonb(h) from queue.history h where id = $1")
            .bind(job)
            .fetch_all(&stack.db)
            .await?;
    anyhow::ensure!(all.len() == 1, "a job ended {} times", all.len());
    Ok(all.into_iter().next().unwrap_or_default())
}

async fn rows(stack: &Stack) -> Result<Vec<Value>> {
    let rows =
        sqlx::query_scalar("select to_jsonb(s) from segments s order by video_id, rendition, n");
    Ok(rows.fetch_all(&stack.db).await?)
}

/// Checks that every rendition has every segment, whose objects exist; returns how many there are.
async fn segments_are_complete(stack: &Stack, video: &Video) -> Result<i64> {
    let per_segment = i64::from(video.segment_frames.context("no grid")?);
    let wanted = (video.frame_count.context("no grid")? + per_segment - 1) / per_segment;
    let found: Vec<(String, i64, i32, i32)> = sqlx::query_as(
        "select rendition, count(*), min(n), max(n) from segments where video_id = $1 and generation = $2
          and rendition not in ('audio', 'source') group by 1 order by 1",
    )
    .bind(video.id.0)
    .bind(video.generation)
    .fetch_all(&stack.db)
    .await?;
    assert!(!found.is_empty());
    for (rendition, count, first, last) in &found {
        assert_eq!(
            (*count, *first, i64::from(*last)),
            (wanted, 0, wanted - 1),
            "{rendition} of {}",
            video.id
        );
    }
    let keys: Vec<String> = sqlx::query_scalar("select key from segments where video_id = $1")
        .bind(video.id.0)
        .fetch_all(&stack.db)
        .await?;
    let objects = stack.storage.list(&format!("hls/{}/", video.id)).await?;
    let missing: Vec<&String> = keys.iter().filter(|key| !objects.contains(key)).collect();
    assert!(missing.is_empty(), "rows without objects: {missing:?}");
    Ok(i64::try_from(keys.len())?)
}
