//! Progress as it is shown: it never falls, nothing is missed, and the last frame is the truth.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_tests::{Clip, Memory, Person, Socket, Stack};
use serde_json::{Value, json};
use sqlx::postgres::PgListener;

const READY: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn progress_never_falls_and_nothing_is_missed_across_reconnects() -> Result<()> {
    let stack = Stack::start().await?;
    let person = Person::register(&stack).await?;
    let own = format!("user:{}", person.id);
    // One tab stays; it follows the person's topic from before the upload.
    let mut tab = Socket::connect(&person).await?;
    let mut seen_by_tab = Memory::default();
    assert!(!tab.subscribe(&own, &seen_by_tab).await?);
    let id = person.upload(&Clip::new(60, "640x360")).await?;
    let _worker = stack.worker("worker").await?;

    // The other one loses its connection again and again.
    let topic = format!("video:{id}");
    let mut memory = Memory::default();
    for round in 0..8 {
        let mut socket = Socket::connect(&person).await?;
        let known = memory.position;
        let recovered = socket.subscribe(&topic, &memory).await?;
        assert_eq!(recovered, known.is_some(), "round {round} from {known:?}");
        let frames = memory.frames;
        let percent = memory
            .videos
            .get(&id)
            .and_then(|video| video["progress"].as_i64())
            .unwrap_or_default();
        // Until it saw something new, then the line breaks in the middle of everything.
        socket
            .follow(&mut memory, READY, |video| {
                video["progress"].as_i64() > Some(percent + 3) || video["status"] == "ready"
            })
            .await?;
        assert!(memory.frames > frames);
        if memory.videos[&id]["status"] == "ready" {
            break;
        }
    }
    let mut socket = Socket::connect(&person).await?;
    if memory.videos[&id]["status"] != "ready" {
        assert!(socket.subscribe(&topic, &memory).await?);
        socket
            .follow(&mut memory, READY, |video| video["status"] == "ready")
            .await?;
    }
    tab.follow(&mut seen_by_tab, READY, |video| video["status"] == "ready")
        .await?;

    // Somebody who comes late sees the same, at once.
    let mut late = Memory::default();
    let mut latecomer = Socket::connect(&person).await?;
    assert!(!latecomer.subscribe(&topic, &late).await?);
    latecomer
        .follow(&mut late, Duration::from_secs(5), |video| {
            video["status"] == "ready"
        })
        .await?;
    assert_eq!(late.frames, 1);
    let truth = person.video(&id).await?;
    for state in [
        &memory.videos[&id],
        &seen_by_tab.videos[&id],
        &late.videos[&id],
    ] {
        same_state(state, &truth)?;
    }
    // And the numbers end where the database ends.
    let head: i64 = sqlx::query_scalar("select seq from bus.topic where name = $1")
        .bind(&topic)
        .fetch_one(&stack.db)
        .await?;
    assert_eq!(late.position.map(|position| position.seq), Some(head));
    assert_eq!(memory.position, late.position);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_notifications_everything_still_arrives() -> Result<()> {
    let stack = Stack::with().deaf().start().await?;
    let mut ear = PgListener::connect_with(&stack.db).await?;
    let channels: Vec<&str> = vec![millrace_bus::EVENTS, millrace_bus::TOUCHED];
    ear.listen_all(channels).await?;
    let person = Person::register(&stack).await?;
    let worker = stack.worker("worker").await?;
    let id = person.upload(&Clip::new(20, "640x360")).await?;
    let mut memory = Memory::default();
    let mut socket = Socket::connect(&person).await?;
    socket.subscribe(&format!("video:{id}"), &memory).await?;
    socket
        .follow(&mut memory, READY, |video| video["status"] == "ready")
        .await?;
    assert!(memory.frames >= 4, "only {} frames", memory.frames);
    same_state(&memory.videos[&id], &person.video(&id).await?)?;
    // Polling is once a second: that, and what the busy machine adds.
    let slow: Vec<(String, f64)> = sqlx::query_as(
        "select kind, extract(epoch from started_at - greatest(created_at, run_at))::float8 from queue.history
          where kind = 'probe' and worker_id = $1 and started_at - greatest(created_at, run_at) > interval '3 seconds'",
    )
    .bind(worker.id)
    .fetch_all(&stack.db)
    .await?;
    assert!(slow.is_empty(), "{slow:?}");
    let heard = tokio::time::timeout(Duration::from_millis(10), ear.recv()).await;
    assert!(heard.is_err(), "a notification got through: {heard:?}");
    drop(ear);
    stack.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_lets_nobody_in_without_a_ticket_nor_near_what_is_not_theirs() -> Result<()> {
    let stack = Stack::with().light().start().await?;
    let (owner, other) = (
        Person::register(&stack).await?,
        Person::register(&stack).await?,
    );
    let target = owner
        .upload_bytes("clip.mp4", b"never looked at", "Mine")
        .await?;
    let id = target["id"].as_str().context("no id")?;
    let hide = json!({ "visibility": "private" }).to_string().into_bytes();
    let headers = [("content-type", "application/json")];
    owner
        .send(
            reqwest::Method::PATCH,
            &format!("/api/videos/{id}"),
            &headers,
            hide,
        )
        .await?
        .expect(200)?;
    let mut socket = Socket::connect(&other).await?;
    for topic in [
        format!("video:{id}"),
        format!("user:{}", owner.id),
        "admin:jobs".to_owned(),
        "nonsense".to_owned(),
    ] {
        socket
            .say(json!({ "type": "subscribe", "topic": topic }))
            .await?;
        let answer = socket.hear(Duration::from_secs(5)).await?;
        assert_eq!(answer["type"], "error", "{topic}: {answer}");
    }
    let mut stranger = Socket::unsigned(&other).await?;
    stranger
        .say(json!({ "type": "subscribe", "topic": format!("user:{}", other.id) }))
        .await?;
    let refused = stranger.hear(Duration::from_secs(5)).await;
    assert!(format!("{refused:?}").contains("4001"), "{refused:?}");
    stack.abandon().await // Nobody was there to probe the upload.
}

/// What a frame and the API say of a video alike.
fn same_state(frame: &Value, truth: &Value) -> Result<()> {
    for field in [
        "status",
        "progress",
        "stage",
        "error",
        "playable",
        "hls_url",
        "poster_url",
        "duration",
        "qualities",
        "title",
    ] {
        anyhow::ensure!(
            frame[field] == truth[field],
            "{field}: {} on the socket, {} by HTTP",
            frame[field],
            truth[field]
        );
    }
    Ok(())
}
