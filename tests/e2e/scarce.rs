//! Machines that run out of something: disk, memory, a good encoder.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_domain::videos::Status;
use millrace_jobs::kinds::SweepExpired;
use millrace_queue::NewJob;
use millrace_tests::{Clip, Film, Stack, Worker, until};
use serde_json::Value;

/// Long enough for an encoder on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// A file system of its own, in memory. Unmounted when dropped.
struct SmallDisk {
    path: PathBuf,
}

impl SmallDisk {
    /// `None` where mounting is not allowed; it says so.
    fn mount(folder: &Path, mib: u64) -> Result<Option<Self>> {
        let path = folder.join("small");
        fs::create_dir(&path)?;
        let options = format!("size={mib}m,mode=0711");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(&path)
            .output()?;
        if !mounted.status.success() {
            eprintln!(
                "NOT TESTED: a full disk needs a file system to fill, and mounting one is not allowed here: {}",
                String::from_utf8_lossy(&mounted.stderr)
            );
            return Ok(None);
        }
        Ok(Some(Self { path }))
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }

    /// Takes this many MiB, or all that is left.
    fn fill(&self, mib: Option<usize>) -> Result<()> {
        let mut file = File::create(self.ballast())?;
        let block = vec![0; 1 << 16];
        for _ in 0..mib.map_or(usize::MAX, |mib| mib * 16) {
            match file.write_all(&block) {
                Err(error) if error.kind() == ErrorKind::StorageFull && mib.is_none() => break,
                other => other?,
            }
        }
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        Ok(fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just being killed may still have a file open.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn media_work_rests_while_the_disk_is_short() -> Result<()> {
    let stack = Stack::start().await?;
    let Some(disk) = SmallDisk::mount(stack.folder(), 128)? else {
        return stack.end().await;
    };
    disk.fill(Some(120))?;
    let port = free_port()?;
    let health = format!("127.0.0.1:{port}");
    let work = disk.path.display().to_string();
    let settings = [
        ("media.work_dir", work.as_str()),
        ("worker.health_listen", &health),
    ];
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let worker = stack.worker_with("cramped", &settings).await?;
    logged(&worker, "media work rests").await?;
    let ready: Value = reqwest::get(format!("http://{health}/ready"))
        .await?
        .json()
        .await?;
    assert_eq!(ready["status"], "ok", "{ready}");
    let media = ready["checks"]["media"]
        .as_str()
        .context("nothing about media")?;
    assert!(media.starts_with("resting: "), "{media}");
    let metrics = reqwest::get(format!("http://{health}/metrics"))
        .await?
        .text()
        .await?;
    assert!(metrics.contains("millrace_media_held 1"), "{metrics}");

    // It works at everything else.
    let enqueued = millrace_queue::enqueue(
        &mut *stack.db.acquire().await?,
        NewJob::new(&SweepExpired {}),
    )
    .await?;
    enqueued.wake.fire(&stack.notifier);
    until("the other queue is served", SOON, async || {
        let row = millrace_queue::find(&mut *stack.db.acquire().await?, enqueued.id).await?;
        Ok(row.filter(|row| row.finished_at.is_some()).map(drop))
    })
    .await?;
    let untouched: bool =
        sqlx::query_scalar("select bool_and(run_no = 0) from queue.job where queue = 'media'")
            .fetch_one(&stack.db)
            .await?;
    assert!(untouched, "{}", stack.jobs().await?);

    disk.empty()?;
    film.ready(&stack, SOON).await?;
    assert!(
        worker.log().contains("media work goes on"),
        "{}",
        worker.log()
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_costs_no_attempt() -> Result<()> {
    let stack = Stack::with()
        .set("worker.queues", "media=1,default=2")
        .set("media.min_free_space", 0)
        .set("media.preset", "slow")
        .start()
        .await?;
    let Some(disk) = SmallDisk::mount(stack.folder(), 128)? else {
        return stack.end().await;
    };
    let work = disk.path.display().to_string();
    let worker = stack
        .worker_with("cramped", &[("media.work_dir", &work)])
        .await?;
    let film = Film::start(&stack, &Clip::new(24, "640x360")).await?;
    film.segments_stored(&stack, 1, SOON).await?;
    disk.fill(None)?;
    logged(&worker, "met a setback: disk").await?;
    let waiting = until("it waits for room", SOON, async || {
        let row: Option<(i32, i32)> = sqlx::query_as(
            "select attempt, (checkpoint -> 'setbacks' ->> 'disk')::int from queue.job
              where state = 'scheduled' and queue = 'media'",
        )
        .fetch_optional(&stack.db)
        .await?;
        Ok(row)
    })
    .await?;
    assert_eq!(waiting.0, 0, "it was charged");
    assert!(waiting.1 >= 1);
    disk.empty()?;
    // Nobody waits half a minute for a test.
    sqlx::query("update queue.job set run_at = now() where state = 'scheduled'")
        .execute(&stack.db)
        .await?;
    film.ready(&stack, 2 * SOON).await?;
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn short_of_memory_a_chunk_is_made_in_several_passes() -> Result<()> {
    let stack = Stack::start().await?;
    let both = r#"*v360*v240*|*v240*v360*) echo 'Cannot allocate memory' >&2; exit 1;;"#;
    let _worker = worker_with_encoder(&stack, both).await?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let video = film.ready(&stack, 2 * SOON).await?;
    let chunks: Vec<(i32, i32)> = sqlx::query_as(
        "select run_no, (checkpoint -> 'setbacks' ->> 'memory')::int from queue.history where kind = 'encode_chunk'",
    )
    .fetch_all(&stack.db)
    .await?;
    assert!(
        !chunks.is_empty() && chunks.iter().all(|chunk| *chunk == (2, 1)),
        "{chunks:?}"
    );
    let rungs: Vec<(String, i64)> = sqlx::query_as(
        "select rendition, count(*) from segments where video_id = $1 and rendition in ('v360', 'v240') group by 1 order by 1",
    )
    .bind(video.id.0)
    .fetch_all(&stack.db)
    .await?;
    assert_eq!(rungs, [("v240".to_owned(), 3), ("v360".to_owned(), 3)]);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_crashes_the_encoder_twice_is_quarantined() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = worker_with_encoder(&stack, "*v360*) kill -SEGV $$;;").await?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let video = film.settled(&stack, SOON).await?;
    assert_eq!(
        (video.status, video.error_code.as_deref()),
        (Status::Failed, Some("crashed"))
    );
    let ended: Vec<(String, i32, Option<String>)> = sqlx::query_as(
        "select state::text, run_no, code from queue.history where kind = 'encode_chunk' and state = 'quarantined'",
    )
    .fetch_all(&stack.db)
    .await?;
    assert!(!ended.is_empty());
    for end in ended {
        assert_eq!(
            end,
            (
                "quarantined".to_owned(),
                2,
                Some("transcoder_crashed".to_owned())
            )
        );
    }
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_encode_says_so_to_its_operator() -> Result<()> {
    let stack = Stack::start().await?;
    let wrong = r#"*v360*) echo "Unknown encoder 'libx264'" >&2; exit 1;;"#;
    let worker = worker_with_encoder(&stack, wrong).await?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let video = film.settled(&stack, SOON).await?;
    assert_eq!(
        video.error_code.as_deref(),
        Some("transcoder_misconfigured")
    );
    let log = worker.log();
    let line = log
        .lines()
        .find(|line| line.contains("this worker cannot encode"));
    assert!(
        line.is_some_and(|line| line.contains("ERROR") && line.contains("libx264")),
        "{log}"
    );
    stack.end().await
}

/// A worker whose encoder is the real one, but for what `case` says of its arguments.
async fn worker_with_encoder(stack: &Stack, case: &str) -> Result<Worker> {
    let folder = stack.folder().join("encoder");
    fs::create_dir(&folder)?;
    let program = folder.join("ffmpeg");
    fs::write(
        &program,
        format!("#!/bin/sh\ncase \"$*\" in {case} esac\nexec ffmpeg \"$@\"\n"),
    )?;
    for path in [&folder, &program] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    let program = program.display().to_string();
    stack
        .worker_with("odd", &[("media.ffmpeg", &program)])
        .await
}

async fn logged(worker: &Worker, words: &str) -> Result<()> {
    let waited = until(words, SOON, async || {
        Ok(worker.log().contains(words).then_some(()))
    });
    waited.await.with_context(|| worker.log())
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
