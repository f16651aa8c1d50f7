//! What comes through the socket.

use std::time::Duration;

use millrace_bus::{Event, Notifier};
use millrace_domain::{
    ids::VideoId,
    videos::{Stage, Video, Visibility, topic_of_user, topic_of_video, video_changed},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    socket::Socket,
    stack::{Person, Stack},
};

/// Changes a video's title with an event and, if there is a notifier, a hint.
async fn rename(
    stack: &Stack,
    owner: &Person,
    video: VideoId,
    title: &str,
    notifier: Option<&Notifier>,
) {
    let mut tx = stack.db.begin().await.unwrap();
    sqlx::query("update videos set title = $2 where id = $1")
        .bind(video.0)
        .bind(title)
        .execute(&mut *tx)
        .await
        .unwrap();
    let hint = video_changed(&mut tx, video, owner.id).await.unwrap();
    tx.commit().await.unwrap();
    if let Some(notifier) = notifier {
        hint.fire(notifier);
    }
}

fn notifier(stack: &Stack) -> Notifier {
    Notifier::start(
        (*stack.db.connect_options()).clone(),
        CancellationToken::new(),
    )
}

#[tokio::test]
async fn a_snapshot_then_the_stream_in_order() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let topic = topic_of_video(id);
    let snapshot = socket.subscribe(&topic).await;
    assert_eq!(snapshot["data"]["video"]["title"], "A walk");
    assert_eq!(
        (
            snapshot["data"]["type"].as_str(),
            snapshot["data"]["generation"].as_i64()
        ),
        (Some("video"), Some(1))
    );
    let notifier = notifier(&stack);
    for n in 1..=5 {
        rename(&stack, &ann, id, &format!("Walk {n}"), Some(&notifier)).await;
        let event = socket.event().await;
        assert_eq!(
            event["seq"].as_i64(),
            Some(snapshot["seq"].as_i64().unwrap() + n)
        );
        assert_eq!(event["data"]["video"]["title"], format!("Walk {n}"));
    }
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.next().await["type"], "pong");
    socket
        .send(json!({"type": "unsubscribe", "topic": topic}))
        .await;
    assert_eq!(socket.next().await["type"], "unsubscribed");
    stack.stop().await;
}

#[tokio::test]
async fn the_topic_of_a_person_lists_what_is_being_made_and_tells_of_deletions() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Private).await;
    let file = json!({"filename": "walk.mp4", "size": 1_000, "content_type": "video/mp4"});
    let (_, target) = stack.post_as(&ann, "/api/uploads", file).await;
    let upload = target["upload_id"].as_str().unwrap();
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let snapshot = socket.subscribe(&topic_of_user(ann.id)).await;
    assert_eq!(snapshot["data"]["videos"][0]["id"], id.to_string());
    assert_eq!(snapshot["data"]["uploads"][0]["id"], upload);
    let abort = stack
        .request(reqwest::Method::DELETE, &format!("/api/uploads/{upload}"))
        .bearer_auth(&ann.token);
    assert_eq!(abort.send().await.unwrap().status(), 204);
    let event = socket.event().await;
    assert_eq!(
        (
            event["data"]["type"].as_str(),
            event["data"]["upload"]["status"].as_str()
        ),
        (Some("upload"), Some("aborted"))
    );
    let delete = stack
        .request(reqwest::Method::DELETE, &format!("/api/videos/{id}"))
        .bearer_auth(&ann.token);
    assert_eq!(delete.send().await.unwrap().status(), 204);
    let event = socket.event().await;
    assert_eq!(event["data"], json!({"type": "video_deleted", "id": id}));
    stack.stop().await;
}

#[tokio::test]
async fn progress_takes_no_number_and_comes_without_an_event() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let snapshot = socket.subscribe(&topic_of_video(id)).await;
    let notifier = notifier(&stack);
    for percent in [10_i16, 25] {
        sqlx::query("update videos set processing_progress = $2 where id = $1")
            .bind(id.0)
            .bind(percent)
            .execute(&stack.db)
            .await
            .unwrap();
        millrace_bus::touch([topic_of_video(id)]).fire(&notifier);
        let frame = socket.next().await;
        assert_eq!(
            (
                frame["type"].as_str(),
                frame["data"]["video"]["progress"].as_i64()
            ),
            (Some("event"), Some(percent.into()))
        );
        assert_eq!(frame["seq"], snapshot["seq"]);
        assert_eq!(frame["progress"]["run_no"], 1);
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_client_resumes_where_it_was_or_is_told_that_it_cannot() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let topic = topic_of_video(id);
    rename(&stack, &ann, id, "One", None).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let snapshot = socket.subscribe(&topic).await;
    let (epoch, seq) = (
        snapshot["epoch"].as_i64().unwrap(),
        snapshot["seq"].as_i64().unwrap(),
    );
    drop(socket);
    for n in 0..3 {
        rename(&stack, &ann, id, &format!("Away {n}"), None).await;
    }

    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket
        .send(json!({"type": "subscribe", "topic": topic, "since": {"epoch": epoch, "seq": seq}}))
        .await;
    assert_eq!(socket.next().await["recovered"], true);
    for n in 1..=3 {
        assert_eq!(socket.event().await["seq"].as_i64(), Some(seq + n));
    }
    drop(socket);

    // Another epoch, a place in the future, and a past that was pruned: a snapshot instead.
    sqlx::query("delete from bus.event where seq <= $1")
        .bind(seq + 1)
        .execute(&stack.db)
        .await
        .unwrap();
    for since in [
        json!({"epoch": epoch + 1, "seq": seq}),
        json!({"epoch": epoch, "seq": seq + 100}),
        json!({"epoch": epoch, "seq": seq}),
    ] {
        let mut socket = Socket::signed_in(&stack, &ann).await;
        socket
            .send(json!({"type": "subscribe", "topic": topic, "since": since}))
            .await;
        assert_eq!(socket.next().await["recovered"], false, "{since}");
        assert_eq!(socket.next().await["data"]["video"]["title"], "Away 2");
    }
    stack.stop().await;
}

#[tokio::test]
async fn nothing_is_missed_or_doubled_by_those_who_join_while_others_publish() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let topic = topic_of_video(id);
    let notifier = notifier(&stack);
    let last = 120;
    let publish = async {
        for n in 1..=last {
            rename(&stack, &ann, id, &format!("Walk {n}"), Some(&notifier)).await;
        }
    };
    let join = async |skip: u32| {
        let mut socket = Socket::signed_in(&stack, &ann).await;
        for _ in 0..skip {
            socket.send(json!({"type": "ping"})).await;
            socket.next().await;
        }
        let mut seq = socket.subscribe(&topic).await["seq"].as_i64().unwrap();
        while seq < last {
            let event = socket.event().await;
            assert_eq!(event["seq"].as_i64(), Some(seq + 1));
            seq += 1;
            if seq == last {
                assert_eq!(event["data"]["video"]["title"], format!("Walk {last}"));
            }
        }
    };
    tokio::join!(publish, join(0), join(5), join(20), join(40), join(60));
    stack.stop().await;
}

#[tokio::test]
async fn news_arrive_without_any_notification() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket.subscribe(&topic_of_video(id)).await;
    let started = std::time::Instant::now();
    rename(&stack, &ann, id, "Unheard", None).await;
    assert_eq!(socket.event().await["data"]["video"]["title"], "Unheard");
    assert!(
        started.elapsed() < Duration::from_millis(3_500),
        "{:?}",
        started.elapsed()
    );
    // Progress too.
    assert!(
        Video::advance(&stack.db, id, 1, Stage::Encoding)
            .await
            .unwrap()
    );
    assert_eq!(socket.next().await["data"]["video"]["stage"], "encoding");
    stack.stop().await;
}

#[tokio::test]
async fn news_arrive_after_the_listening_connection_was_killed() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket.subscribe(&topic_of_video(id)).await;
    let notifier = notifier(&stack);
    for n in 0..3 {
        let killed: i64 = sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
              where application_name = 'millrace-listen' and datname = current_database()",
        )
        .fetch_one(&stack.db)
        .await
        .unwrap();
        assert!(n > 0 || killed == 1, "{killed}");
        rename(&stack, &ann, id, &format!("Killed {n}"), Some(&notifier)).await;
        assert_eq!(
            socket.event().await["data"]["video"]["title"],
            format!("Killed {n}")
        );
    }
    stack.stop().await;
}

#[tokio::test]
async fn a_topic_that_begins_anew_is_sent_anew() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let id = stack.video(&ann, Visibility::Public).await;
    rename(&stack, &ann, id, "One", None).await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    let before = socket.subscribe(&topic_of_video(id)).await;
    sqlx::query("update bus.topic set epoch = epoch + 1")
        .execute(&stack.db)
        .await
        .unwrap();
    let again = socket.next().await;
    assert_eq!(again["type"], "snapshot");
    assert_eq!(
        again["epoch"].as_i64(),
        before["epoch"].as_i64().map(|epoch| epoch + 1)
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_4008() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let topic = topic_of_user(ann.id);
    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket.subscribe(&topic).await;
    let notifier = notifier(&stack);
    // More than the connection's buffers hold, and nothing of it can be replaced.
    let text = "x".repeat(100_000);
    for _ in 0..20 {
        let mut tx = stack.db.begin().await.unwrap();
        let event = |_| Event {
            topic: topic.clone(),
            data: json!({"type": "note", "text": text}),
        };
        let events: Vec<Event> = (0..10).map(event).collect();
        let hint = millrace_bus::publish(&mut tx, &events).await.unwrap();
        tx.commit().await.unwrap();
        hint.fire(&notifier);
    }
    assert_eq!(socket.closed().await, Some(4008));
    stack.stop().await;
}

#[tokio::test]
async fn strangers_follow_what_they_may_see_until_it_is_hidden() {
    let stack = Stack::start().await;
    let (ann, bob) = (stack.person("ann").await, stack.person("bob").await);
    let private = stack.video(&ann, Visibility::Private).await;
    let public = stack.video(&ann, Visibility::Public).await;
    let mut socket = Socket::signed_in(&stack, &bob).await;
    let hidden = [
        topic_of_video(private),
        topic_of_user(ann.id),
        topic_of_video(VideoId::new()),
        "admin:jobs".to_owned(),
        "video:x".to_owned(),
        String::new(),
        "\u{0}".to_owned(),
    ];
    for topic in hidden {
        socket
            .send(json!({"type": "subscribe", "topic": topic}))
            .await;
        let frame = socket.next().await;
        assert_eq!(
            (frame["type"].as_str(), frame["code"].as_str()),
            (Some("error"), Some("not_found")),
            "{topic}"
        );
    }
    socket.subscribe(&topic_of_video(public)).await;
    let request = stack
        .request(reqwest::Method::PATCH, &format!("/api/videos/{public}"))
        .bearer_auth(&ann.token);
    let hidden = request
        .json(&json!({"visibility": "private", "title": "Secret"}))
        .send()
        .await
        .unwrap();
    assert_eq!(hidden.status(), 200);
    let frame = socket.next().await;
    assert_eq!(
        (frame["type"].as_str(), frame["code"].as_str()),
        (Some("error"), Some("forbidden")),
        "{frame}"
    );
    assert_eq!(socket.next().await["type"], "unsubscribed");
    stack.stop().await;
}
