//! Workers that lack something at start: one line that says what, or patience.

use std::time::Duration;

use anyhow::Result;
use millrace_tests::{Clip, Film, Stack, until};
use tokio::net::TcpListener;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lacks_something_says_so_in_one_line() -> Result<()> {
    // Housekeeping may be told at the usual level; what is counted here are complaints.
    let stack = Stack::with()
        .light()
        .set("log.filter", "warn")
        .start()
        .await?;
    let nobody_there = closed_port().await?;
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("media.ffmpeg", "/nowhere/ffmpeg")], "ffmpeg"),
        (&[("media.ffprobe", "/nowhere/ffprobe")], "ffprobe"),
        (
            &[("storage.endpoint", &format!("http://{nobody_there}"))],
            "stor",
        ),
        (&[("storage.bucket", "another-bucket")], "another-bucket"),
        (
            &[(
                "database.url",
                "postgres://postgres@localhost/millrace?host=/nowhere",
            )],
            "database",
        ),
        (&[("database.url", "")], "database.url"),
        (&[("worker.colour", "blue")], "colour"),
        (&[("worker.queues", "media=many")], "queues"),
    ];
    for (settings, word) in cases {
        let exit = stack
            .worker_that_ends(settings, Duration::from_secs(40))
            .await?;
        let lines: Vec<&str> = exit.stderr.lines().collect();
        assert!(
            exit.code.is_some_and(|code| code != 0),
            "{settings:?}: {exit:?}"
        );
        assert_eq!(lines.len(), 1, "{settings:?}: {}", exit.stderr);
        assert!(
            lines[0].starts_with("millrace-worker: ") && lines[0].contains(word),
            "{settings:?}: {}",
            lines[0]
        );
        assert!(!lines[0].contains("e2e-secret"), "{}", lines[0]);
    }
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_may_wait_begins_when_all_is_there() -> Result<()> {
    let stack = Stack::start().await?;
    let port = closed_port().await?;
    let endpoint = format!("http://{port}");
    let settings = [
        ("storage.endpoint", endpoint.as_str()),
        ("worker.wait_for_dependencies", "true"),
    ];
    let mut worker = stack.worker_that_waits("patient", &settings)?;
    let film = Film::start(&stack, &Clip::new(10, "640x360")).await?;
    until(
        "the worker says that it waits",
        Duration::from_secs(30),
        async || {
            anyhow::ensure!(worker.is_running(), "it gave up:\n{}", worker.log());
            Ok(worker.log().contains("waiting").then_some(()))
        },
    )
    .await?;
    // A second door to the same store.
    let listener = TcpListener::bind(&port).await?;
    let door = tokio::spawn(forward(listener, stack.store_address().to_owned()));
    worker.at_work(&stack.db, Duration::from_secs(30)).await?;
    film.ready(&stack, Duration::from_secs(60)).await?;
    stack.quiet().await?;
    drop(worker);
    door.abort();
    stack.end().await
}

/// An address where nobody listens.
async fn closed_port() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")
        .await?
        .local_addr()?
        .to_string())
}

async fn forward(listener: TcpListener, to: String) -> Result<()> {
    loop {
        let (mut from, _) = listener.accept().await?;
        let to = to.clone();
        tokio::spawn(async move {
            if let Ok(mut there) = tokio::net::TcpStream::connect(to).await {
                let _either_may_hang_up =
                    tokio::io::copy_bidirectional(&mut from, &mut there).await;
            }
        });
    }
}
