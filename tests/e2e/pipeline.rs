//! The pipeline without the API: a source in the store becomes segments.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Clip, Film, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_becomes_segments() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("alone").await?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let video = film.ready(&stack, Duration::from_secs(60)).await?;
    assert_eq!(
        (video.progress, video.width, video.height),
        (100, Some(640), Some(360))
    );
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_chunks_of_one_video() -> Result<()> {
    let stack = Stack::start().await?;
    let one = stack
        .worker_with("one", &[("worker.queues", "media=1,default=2")])
        .await?;
    let two = stack
        .worker_with("two", &[("worker.queues", "media=1,default=2")])
        .await?;
    let film = Film::start(&stack, &Clip::new(60, "854x480").silent()).await?;
    film.ready(&stack, Duration::from_secs(120)).await?;
    let mut workers: Vec<uuid::Uuid> = sqlx::query_scalar(
        "select distinct worker_id from queue.history where kind = 'encode_chunk' and state = 'completed'",
    )
    .fetch_all(&stack.db)
    .await?;
    workers.sort_unstable();
    let mut both = [one.id, two.id];
    both.sort_unstable();
    assert_eq!(workers, both);
    stack.end().await
}
