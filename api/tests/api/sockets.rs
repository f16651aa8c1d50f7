//! Who may open a socket, and how sockets end.

use std::time::Duration;

use futures::SinkExt as _;
use millrace_domain::videos::{Visibility, topic_of_user, topic_of_video};
use serde_json::json;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, error::Error as WsError},
};

use crate::{
    socket::{Socket, ticket},
    stack::Stack,
};

#[tokio::test]
async fn sockets_need_a_ticket_that_is_fresh_and_unused() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let mut socket = Socket::open(&stack).await;
    socket
        .send(json!({"type": "subscribe", "topic": topic_of_user(ann.id)}))
        .await;
    assert_eq!(socket.closed().await, Some(4001));

    let used = ticket(&stack, &ann).await;
    let mut first = Socket::open(&stack).await;
    first.send(json!({"type": "auth", "ticket": used})).await;
    assert_eq!(first.next().await["type"], "auth_ok");
    let old = ticket(&stack, &ann).await;
    sqlx::query("update ws_tickets set expires_at = now() - interval '1 second'")
        .execute(&stack.db)
        .await
        .unwrap();
    for ticket in [used, old, "x".to_owned()] {
        let mut socket = Socket::open(&stack).await;
        socket.send(json!({"type": "auth", "ticket": ticket})).await;
        assert_eq!(socket.closed().await, Some(4001));
    }
    // Extending works, becoming somebody else does not.
    let again = ticket(&stack, &ann).await;
    first.send(json!({"type": "auth", "ticket": again})).await;
    assert_eq!(first.next().await["type"], "auth_ok");
    let bob = stack.person("bob").await;
    let other = ticket(&stack, &bob).await;
    first.send(json!({"type": "auth", "ticket": other})).await;
    assert_eq!(first.closed().await, Some(1008));
    stack.stop().await;
}

#[tokio::test]
async fn a_socket_ends_with_its_session_or_its_token() {
    let stack = Stack::start_with("[auth]\naccess_ttl = \"4s\"").await;
    let ann = stack.person("ann").await;
    let mut revoked = Socket::signed_in(&stack, &ann).await;
    let logout = stack
        .request(reqwest::Method::POST, "/api/auth/logout")
        .header("cookie", &ann.cookie);
    assert_eq!(logout.send().await.unwrap().status(), 204);
    let started = std::time::Instant::now();
    assert_eq!(revoked.closed().await, Some(4003));
    assert!(started.elapsed() < Duration::from_secs(2));

    let ann = stack.log_in("ann").await;
    let mut expired = Socket::signed_in(&stack, &ann).await;
    assert_eq!(expired.closed().await, Some(4001));
    stack.stop().await;
}

#[tokio::test]
async fn another_sites_page_cannot_open_a_socket() {
    let stack = Stack::start().await;
    let mut request = format!("ws://{}/api/ws", stack.address)
        .into_client_request()
        .unwrap();
    request
        .headers_mut()
        .insert("origin", "https://evil.example".parse().unwrap());
    match connect_async(request).await {
        Err(WsError::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    stack.stop().await;
}

#[tokio::test]
async fn nonsense_is_answered_and_too_much_of_anything_ends_the_socket() {
    let stack = Stack::start_with("[realtime]\nmax_topics = 2").await;
    let ann = stack.person("ann").await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    for text in [
        "",
        "{",
        "[]",
        r#"{"type":"shout"}"#,
        r#"{"type":"subscribe"}"#,
    ] {
        socket.0.send(Message::text(text)).await.unwrap();
        assert_eq!(socket.next().await["code"], "malformed");
    }
    for _ in 0..2 {
        let id = stack.video(&ann, Visibility::Public).await;
        socket.subscribe(&topic_of_video(id)).await;
    }
    let id = stack.video(&ann, Visibility::Public).await;
    socket
        .send(json!({"type": "subscribe", "topic": topic_of_video(id)}))
        .await;
    assert_eq!(socket.next().await["code"], "too_many_topics");
    for _ in 0..250 {
        if socket
            .0
            .send(Message::text(r#"{"type":"ping"}"#))
            .await
            .is_err()
        {
            break;
        }
    }
    assert_eq!(socket.closed().await, Some(1008));

    let mut socket = Socket::signed_in(&stack, &ann).await;
    let _ = socket.0.send(Message::text("x".repeat(70_000))).await;
    assert!(!matches!(socket.closed().await, Some(1000)));
    stack.stop().await;
}

#[tokio::test]
async fn at_shutdown_sockets_are_told_that_we_go_away() {
    let stack = Stack::start().await;
    let ann = stack.person("ann").await;
    let mut socket = Socket::signed_in(&stack, &ann).await;
    socket.subscribe(&topic_of_user(ann.id)).await;
    stack.begin_stop();
    assert_eq!(socket.closed().await, Some(1012));
    stack.stop().await;
}
