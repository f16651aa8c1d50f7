//! The pipeline alone: a source in the store becomes segments that decode, on the frame grid.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Clip, Film, Stack};

#[tokio::test(flavor = "multi_thread")]
async fn a_source_becomes_segments() -> Result<()> {
    let stack = Stack::start().await?;
    let _worker = stack.worker("alone").await?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    let video = film.ready(&stack, Duration::from_secs(60)).await?;
    assert_eq!((video.progress, video.width, video.height), (100, Some(640), Some(360)));
    stack.end().await
}
