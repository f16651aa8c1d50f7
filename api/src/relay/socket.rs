//! One client: signs in by ticket, subscribes, and is sent what its outbox holds.

use std::{collections::HashMap, ops::ControlFlow, sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use chrono::{DateTime, Utc};
use futures::{SinkExt as _, StreamExt as _, stream::SplitSink};
use millrace_domain::{
    accounts::{Admitted, Ticket},
    ids::UserId,
};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::{
    Member, Membership, Relay,
    frame::{self, ClientFrame},
    outbox::{Close, Outbox},
    reason,
    topic::Topic,
};

/// How long a client may take to sign in.
const SIGN_IN_WITHIN: Duration = Duration::from_secs(10);
/// How often a quiet client is asked whether it is there, and how long its silence is borne.
const PING_EVERY: Duration = Duration::from_secs(25);
const SILENCE: Duration = Duration::from_secs(60);
/// How long a frame may take to leave, and the closing frame after it.
const SEND_WITHIN: Duration = Duration::from_secs(15);
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// Messages that a client may send in a [`WINDOW`].
const MESSAGES: u32 = 200;
const WINDOW: Duration = Duration::from_secs(10);
/// At shutdown sockets are closed over this long at most, so that other replicas are not overrun.
const SPREAD: Duration = Duration::from_secs(10);

type Sink = SplitSink<WebSocket, Message>;

/// The state of one socket.
struct Client {
    relay: Relay,
    id: u64,
    outbox: Arc<Outbox>,
    user: Option<UserId>,
    /// When the socket ends unless it is extended.
    until: Instant,
    topics: HashMap<Topic, Membership>,
    heard: Instant,
    window: (Instant, u32),
}

/// Serves a socket until it ends.
pub(super) async fn serve(relay: Relay, socket: WebSocket, id: u64) {
    let outbox = Arc::new(Outbox::default());
    let mut client = Client {
        relay: relay.clone(),
        id,
        outbox: outbox.clone(),
        user: None,
        until: Instant::now() + SIGN_IN_WITHIN,
        topics: HashMap::new(),
        heard: Instant::now(),
        window: (Instant::now(), 0),
    };
    let (mut sink, mut stream) = socket.split();
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = outbox.ready() => {
                if let ControlFlow::Break(why) = send_all(&mut sink, &outbox).await {
                    if let Some(why) = why {
                        close(&mut sink, why).await;
                    }
                    break;
                }
            }
            message = stream.next(), if outbox.has_room() => match message {
                Some(Ok(message)) => client.take(message).await,
                Some(Err(_)) | None => break,
            },
            () = sleep_until(client.until) => outbox.close(Close::Unauthenticated),
            _ = pings.tick() => {
                if client.heard.elapsed() > SILENCE || sink.send(Message::Ping(bytes::Bytes::new())).await.is_err() {
                    break;
                }
            }
            () = relay.inner.shutdown.cancelled() => {
                let sockets = relay.sockets().len();
                sleep(spread(sockets)).await;
                close(&mut sink, Close::GoingAway).await;
                break;
            }
        }
    }
    drop(client);
    relay.sign_out(id);
}

/// Sends what waits. `Break` ends the socket, with a closing frame if there is a reason to tell.
async fn send_all(sink: &mut Sink, outbox: &Outbox) -> ControlFlow<Option<Close>> {
    loop {
        if let Some(why) = outbox.closed() {
            return ControlFlow::Break(Some(why));
        }
        let Some(frame) = outbox.pop() else {
            return ControlFlow::Continue(());
        };
        tokio::select! {
            sent = timeout(SEND_WITHIN, sink.send(Message::Text(frame))) => match sent {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return ControlFlow::Break(None),
                Err(_) => return ControlFlow::Break(Some(Close::TooSlow)),
            },
            why = outbox.closing() => return ControlFlow::Break(Some(why)),
        }
    }
}

/// Says why, as far as the client still listens.
async fn close(sink: &mut Sink, why: Close) {
    metrics::counter!("millrace_relay_closed_total", "code" => why.frame().0.to_string())
        .increment(1);
    let (code, reason) = reason(why);
    let farewell = sink.send(Message::Close(Some(CloseFrame { code, reason })));
    if timeout(CLOSE_WITHIN, farewell).await.is_err() {
        tracing::debug!(code, "a client did not take its closing frame");
    }
}

/// When this socket closes at shutdown: at once for a handful of them, over ten seconds for thousands.
fn spread(sockets: usize) -> Duration {
    let most = SPREAD.min(Duration::from_millis(5) * u32::try_from(sockets).unwrap_or(u32::MAX));
    most.mul_f64(rand::random::<f64>())
}

impl Client {
    async fn take(&mut self, message: Message) {
        self.heard = Instant::now();
        if self.is_too_chatty() {
            self.outbox.close(Close::Policy);
            return;
        }
        match message {
            Message::Text(text) => match serde_json::from_str(text.as_str()) {
                Ok(frame) => self.handle(frame).await,
                Err(_) => self.outbox.answer(frame::error("malformed", None)),
            },
            Message::Binary(_) => self.outbox.answer(frame::error("malformed", None)),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => {}
        }
    }

    fn is_too_chatty(&mut self) -> bool {
        if self.window.0.elapsed() > WINDOW {
            self.window = (Instant::now(), 0);
        }
        self.window.1 += 1;
        self.window.1 > MESSAGES
    }

    async fn handle(&mut self, frame: ClientFrame) {
        match (frame, self.user) {
            (ClientFrame::Ping, _) => self.outbox.answer(frame::pong()),
            (ClientFrame::Auth { ticket }, _) => self.sign_in(&ticket).await,
            (_, None) => self.outbox.close(Close::Unauthenticated),
            (ClientFrame::Subscribe { topic, since }, Some(user)) => {
                let answer = match topic.parse() {
                    Ok(parsed) => self.subscribe(user, parsed, since).await,
                    Err(_) => Err("not_found"),
                };
                if let Err(code) = answer {
                    let topic: String = topic.chars().take(100).collect();
                    self.outbox.answer(frame::error(code, Some(&topic)));
                }
            }
            (ClientFrame::Unsubscribe { topic }, Some(_)) => {
                if let Ok(parsed) = topic.parse() {
                    self.topics.remove(&parsed);
                }
                let topic: String = topic.chars().take(100).collect();
                self.outbox.answer(frame::unsubscribed(&topic));
            }
        }
    }

    async fn subscribe(
        &mut self,
        user: UserId,
        topic: Topic,
        since: Option<frame::Since>,
    ) -> Result<(), &'static str> {
        // Again for a topic that is followed already: it begins anew.
        self.topics.remove(&topic);
        if self.topics.len() >= self.relay.inner.options.max_topics {
            return Err("too_many_topics");
        }
        let membership = self
            .relay
            .subscribe(self.id, user, &self.outbox, topic, since)
            .await?;
        self.topics.insert(topic, membership);
        Ok(())
    }

    async fn sign_in(&mut self, ticket: &str) {
        let admitted = match Ticket::redeem(&self.relay.inner.source.db, ticket).await {
            Ok(Some(admitted)) => admitted,
            Ok(None) => return self.outbox.close(Close::Unauthenticated),
            Err(error) => {
                tracing::warn!(%error, "could not redeem a ticket");
                return self.outbox.answer(frame::error("unavailable", None));
            }
        };
        let Admitted {
            user,
            session,
            until,
        } = admitted;
        if self.user.is_some_and(|known| known != user) {
            return self.outbox.close(Close::Policy);
        }
        let member = Member {
            user,
            session,
            outbox: self.outbox.clone(),
        };
        if !self.relay.sign_in(self.id, member) {
            return self.outbox.close(Close::Policy);
        }
        self.user = Some(user);
        self.until = Instant::now() + remaining(until);
        self.outbox.answer(frame::auth_ok(until));
    }
}

fn remaining(until: DateTime<Utc>) -> Duration {
    (until - Utc::now()).to_std().unwrap_or_default()
}
