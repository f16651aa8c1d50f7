//! A client of the socket.

use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::stack::{Person, Stack};

/// Longer than anything may take, shorter than a person would wait.
pub(crate) const SOON: Duration = Duration::from_secs(10);

pub(crate) struct Socket(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

/// How a socket ended.
pub(crate) type Closed = Option<u16>;

impl Socket {
    pub(crate) async fn open(stack: &Stack) -> Self {
        let (socket, _) = connect_async(format!("ws://{}/api/ws", stack.address))
            .await
            .unwrap();
        Self(socket)
    }

    pub(crate) async fn signed_in(stack: &Stack, person: &Person) -> Self {
        let mut socket = Self::open(stack).await;
        let ticket = ticket(stack, person).await;
        socket.send(json!({"type": "auth", "ticket": ticket})).await;
        assert_eq!(socket.next().await["type"], "auth_ok");
        socket
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    /// The next frame, or how the socket was closed.
    pub(crate) async fn receive(&mut self) -> Result<Value, Closed> {
        loop {
            let message = timeout(SOON, self.0.next())
                .await
                .expect("a frame should have come");
            match message {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(text.as_str()).unwrap());
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|f| f.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Value {
        self.receive().await.expect("the socket should be open")
    }

    pub(crate) async fn closed(&mut self) -> Closed {
        loop {
            if let Err(closed) = self.receive().await {
                return closed;
            }
        }
    }

    /// Subscribes and returns the snapshot.
    pub(crate) async fn subscribe(&mut self, topic: &str) -> Value {
        self.send(json!({"type": "subscribe", "topic": topic}))
            .await;
        let subscribed = self.next().await;
        assert_eq!(
            (
                subscribed["type"].as_str(),
                subscribed["recovered"].as_bool()
            ),
            (Some("subscribed"), Some(false))
        );
        let snapshot = self.next().await;
        assert_eq!(
            (snapshot["type"].as_str(), snapshot["topic"].as_str()),
            (Some("snapshot"), Some(topic))
        );
        snapshot
    }

    /// The next numbered event; progress is passed over.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == "event" && frame.get("progress").is_none() {
                return frame;
            }
        }
    }
}

pub(crate) async fn ticket(stack: &Stack, person: &Person) -> String {
    let (status, body) = stack.post_as(person, "/api/ws/tickets", json!({})).await;
    assert_eq!(status, 201);
    body["ticket"].as_str().unwrap().to_owned()
}
