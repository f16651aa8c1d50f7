//! A client of the relay that notes what it was sent and objects when the protocol's promises are broken.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, Result};
use futures::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::Instant};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::{Person, person::text};

/// Where a client stands in a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub epoch: i64,
    pub seq: i64,
}

/// What a client knows of a topic; it outlives the connection.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub position: Option<Position>,
    /// The last data with the state of each video.
    pub videos: HashMap<String, Value>,
    /// Frames with news that came, of all connections.
    pub frames: usize,
    /// Greatest percent by video and generation.
    shown: HashMap<(String, i64), i64>,
}

/// A connection, signed in.
pub struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Socket {
    /// Connects and signs in with a fresh ticket.
    ///
    /// # Errors
    /// That the relay refuses.
    pub async fn connect(person: &Person) -> Result<Self> {
        let mut socket = Self::unsigned(person).await?;
        let ticket = person
            .post("/api/ws/tickets", json!({}))
            .await?
            .expect(201)?;
        socket
            .say(json!({ "type": "auth", "ticket": text(&ticket["ticket"])? }))
            .await?;
        let answer = socket.hear(Duration::from_secs(10)).await?;
        anyhow::ensure!(answer["type"] == "auth_ok", "not signed in: {answer}");
        Ok(socket)
    }

    /// Connects without signing in.
    ///
    /// # Errors
    /// That the relay refuses.
    pub async fn unsigned(person: &Person) -> Result<Self> {
        let address = format!("{}/api/ws", person.base().replacen("http", "ws", 1));
        let mut request = address.into_client_request()?;
        request
            .headers_mut()
            .insert("origin", person.base().parse()?);
        let (stream, _) = connect_async(request).await?;
        Ok(Self { stream })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// That the connection is gone.
    pub async fn say(&mut self, frame: Value) -> Result<()> {
        Ok(self.stream.send(Message::text(frame.to_string())).await?)
    }

    /// The next frame.
    ///
    /// # Errors
    /// That none comes within `deadline`, or that the socket is closed.
    pub async fn hear(&mut self, deadline: Duration) -> Result<Value> {
        let end = Instant::now() + deadline;
        loop {
            let message = tokio::time::timeout_at(end, self.stream.next())
                .await
                .context("the relay is silent")?;
            match message.context("the relay hung up")?? {
                Message::Text(frame) => return Ok(serde_json::from_str(frame.as_str())?),
                Message::Close(why) => anyhow::bail!("the relay closed the socket: {why:?}"),
                _ => {}
            }
        }
    }

    /// Subscribes, from where the client stands if it stands anywhere; says whether the relay recovered it.
    ///
    /// # Errors
    /// That the relay refuses.
    pub async fn subscribe(&mut self, topic: &str, memory: &Memory) -> Result<bool> {
        let mut frame = json!({ "type": "subscribe", "topic": topic });
        if let Some(Position { epoch, seq }) = memory.position {
            frame["since"] = json!({ "epoch": epoch, "seq": seq });
        }
        self.say(frame).await?;
        let answer = self.hear(Duration::from_secs(10)).await?;
        anyhow::ensure!(
            answer["type"] == "subscribed" && answer["topic"] == topic,
            "not subscribed: {answer}"
        );
        answer["recovered"]
            .as_bool()
            .context("recovered is not said")
    }

    /// Takes frames of one topic into `memory` until one makes `enough` true of the video's state.
    ///
    /// # Errors
    /// That a promise is broken, or that it does not come within `deadline`.
    pub async fn follow(
        &mut self,
        memory: &mut Memory,
        deadline: Duration,
        enough: impl Fn(&Value) -> bool,
    ) -> Result<()> {
        let end = Instant::now() + deadline;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let frame = self
                .hear(left)
                .await
                .with_context(|| format!("the last states were {:?}", memory.videos))?;
            memory.take(&frame)?;
            if memory.videos.values().any(&enough) {
                return Ok(());
            }
        }
    }
}

impl Memory {
    /// Notes a frame.
    ///
    /// # Errors
    /// That it breaks a promise: a number that is skipped or repeated, a percent that falls.
    pub fn take(&mut self, frame: &Value) -> Result<()> {
        let position = || -> Result<Position> {
            let (epoch, seq) = (frame["epoch"].as_i64(), frame["seq"].as_i64());
            Ok(Position {
                epoch: epoch.context("no epoch")?,
                seq: seq.context("no seq")?,
            })
        };
        match frame["type"].as_str() {
            Some("snapshot") => self.position = Some(position()?),
            Some("event") => {
                let (new, old) = (
                    position()?,
                    self.position.context("an event before any snapshot")?,
                );
                if frame["progress"].is_null() {
                    // A topic's first event brings its epoch.
                    let known = old == Position { epoch: 0, seq: 0 } || old.epoch == new.epoch;
                    anyhow::ensure!(
                        known && new.seq == old.seq + 1,
                        "{new:?} after {old:?}: {frame}"
                    );
                } else {
                    anyhow::ensure!(
                        new.seq == old.seq,
                        "progress at {new:?}, not at {old:?}: {frame}"
                    );
                }
                self.position = Some(new);
            }
            _ => return Ok(()),
        }
        self.frames += 1;
        let generation = frame["data"]["generation"].as_i64().unwrap_or_default();
        let data = &frame["data"];
        let listed = data["videos"].as_array().into_iter().flatten();
        for video in listed.chain((data["type"] == "video").then(|| &data["video"])) {
            self.note(video, generation)?;
        }
        Ok(())
    }

    fn note(&mut self, video: &Value, generation: i64) -> Result<()> {
        let id = text(&video["id"])?;
        let percent = video["progress"].as_i64().context("no percent")?;
        let shown = self.shown.entry((id.clone(), generation)).or_default();
        anyhow::ensure!(
            percent >= *shown,
            "the percent fell from {shown} to {percent}: {video}"
        );
        *shown = percent;
        self.videos.insert(id, video.clone());
        Ok(())
    }
}
