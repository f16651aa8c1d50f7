//! Stops and leftovers: a cancelled, dropped or deserted encode leaves no process and no file.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use millrace_domain::media::{ChunkSpec, Class, Transcoder};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::stage::{Stage, slice, spec};

/// A stage whose encoder takes far longer than any test.
async fn slow() -> (Stage, ChunkSpec) {
    let stage = Stage::with_preset("placebo");
    let source: PathBuf = stage.clip(
        "slow.mp4",
        "-f lavfi -i testsrc2=s=1280x720:r=30:d=8 -c:v libx264 -preset ultrafast",
    );
    let (probe, plan) = stage.plan(&source).await;
    let spec = spec(
        &source,
        &probe,
        &plan.grid,
        &plan.ladder,
        slice(&plan.grid, 0, 0, 2),
    );
    (stage, spec)
}

/// Waits until the kernel has taken away what was killed.
async fn is_gone(stage: &Stage) -> bool {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..200 {
        look.tick().await;
        if stage.is_clean() {
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_kills_the_process_group_within_two_seconds() {
    let (stage, spec) = slow().await;
    let cancel = CancellationToken::new();
    let (closed, _announced) = mpsc::channel(4);
    let started = Notify::new();
    let report = |_| started.notify_one();
    let encode = stage
        .transcoder
        .encode_chunk(&spec, closed, &report, &cancel);
    let stop = async {
        started.notified().await;
        assert!(!stage.processes().is_empty());
        let asked = Instant::now();
        cancel.cancel();
        asked
    };
    let (result, asked) = tokio::join!(encode, stop);
    assert_eq!(result.unwrap_err().class, Class::Cancelled);
    assert!(stage.is_clean(), "{:?}", stage.processes());
    assert!(asked.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encode_that_is_dropped_is_killed() {
    let (stage, spec) = slow().await;
    let stage = Arc::new(stage);
    let started = Arc::new(Notify::new());
    let job = tokio::spawn({
        let (stage, started) = (Arc::clone(&stage), Arc::clone(&started));
        async move {
            let (closed, _announced) = mpsc::channel(4);
            let report = move |_| started.notify_one();
            let _ = stage
                .transcoder
                .encode_chunk(&spec, closed, &report, &CancellationToken::new())
                .await;
        }
    });
    started.notified().await;
    assert!(!stage.processes().is_empty());
    job.abort();
    assert!(job.await.unwrap_err().is_cancelled());
    assert!(is_gone(&stage).await, "{:?}", stage.processes());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encode_that_nobody_listens_to_ends() {
    let stage = Stage::new();
    let source = stage.clip(
        "deserted.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=30:d=20 -c:v libx264 -preset ultrafast",
    );
    let (probe, plan) = stage.plan(&source).await;
    let spec = spec(
        &source,
        &probe,
        &plan.grid,
        &plan.ladder,
        slice(&plan.grid, 0, 0, 5),
    );
    let (closed, announced) = mpsc::channel(4);
    drop(announced);
    let result = stage
        .transcoder
        .encode_chunk(&spec, closed, &|_| {}, &CancellationToken::new())
        .await;
    assert_eq!(result.unwrap_err().class, Class::Cancelled);
    assert!(is_gone(&stage).await, "{:?}", stage.processes());
}
