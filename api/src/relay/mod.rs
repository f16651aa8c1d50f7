//! The relay: what happens in the database reaches the browsers that watch it.
//!
//! One LISTEN connection per process. NOTIFY only says where to look; one reader looks for all watched topics, their
//! hubs hand out what it finds, and a position check every two seconds finds what nobody was told of.

/// Which topics are to be looked at.
mod bell;
/// The frames of the socket.
mod frame;
/// A watched topic.
mod hub;
/// What is heard of the database.
mod listen;
/// What waits to be sent to one socket.
mod outbox;
/// Where a hub stands.
mod position;
/// Looks for all topics together.
mod reader;
/// What a client missed that comes back.
mod resume;
/// Tickets and the upgrade.
pub(crate) mod routes;
/// Whose sockets they are.
mod sessions;
/// One client.
mod socket;
/// What is read for a topic.
mod source;
/// A socket in a hub.
mod subscriber;
/// The topics that clients may name.
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use millrace_bus::Listener;
use millrace_domain::ids::UserId;
use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    bell::Bell,
    frame::Since,
    hub::Hub,
    outbox::{Close, Outbox},
    sessions::Member,
    source::Source,
    topic::Topic,
};
use crate::playback::Playback;

/// Snapshots that are read at a time: a herd of sockets must not starve requests of connections.
const SUBSCRIPTIONS: usize = 4;

/// How the relay behaves.
#[derive(Debug, Clone)]
pub(crate) struct RelayOptions {
    /// How often subscribed topics are compared with their rows.
    pub position_check: Duration,
    /// Topics of one socket.
    pub max_topics: usize,
}

/// The process's relay; clones share it.
#[derive(Clone)]
pub(crate) struct Relay {
    inner: Arc<Inner>,
}

struct Inner {
    source: Source,
    options: RelayOptions,
    hubs: Mutex<HashMap<Topic, Arc<Hub>>>,
    sockets: Mutex<HashMap<u64, Member>>,
    next_socket: AtomicU64,
    turns: Semaphore,
    bell: Arc<Bell>,
    /// Readers and sockets; the relay ends when they have.
    tasks: TaskTracker,
    recheck: Notify,
    shutdown: CancellationToken,
}

/// A topic that a socket follows; dropping it ends the subscription.
struct Membership {
    relay: Relay,
    hub: Arc<Hub>,
    socket: u64,
}

impl Relay {
    /// Starts the relay on `listener`, which must hear [`EVENTS`] and [`TOUCHED`], until `shutdown`.
    pub(crate) fn start(
        db: PgPool,
        playback: Playback,
        listener: Listener,
        options: RelayOptions,
        shutdown: CancellationToken,
    ) -> Self {
        let relay = Self {
            inner: Arc::new(Inner {
                source: Source { db, playback },
                options,
                hubs: Mutex::default(),
                sockets: Mutex::default(),
                next_socket: AtomicU64::new(1),
                turns: Semaphore::new(SUBSCRIPTIONS),
                bell: Arc::default(),
                tasks: TaskTracker::new(),
                recheck: Notify::new(),
                shutdown,
            }),
        };
        relay.inner.tasks.spawn(relay.clone().listen(listener));
        relay.inner.tasks.spawn(reader::run(relay.clone()));
        relay.inner.tasks.spawn(relay.clone().watch_sessions());
        relay
    }

    /// Waits until all sockets are closed, after shutdown.
    pub(crate) async fn ended(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn hubs(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Hub>>> {
        self.inner
            .hubs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows `topic` for a socket. The outbox gets `subscribed` and what comes after it.
    ///
    /// # Errors
    /// A code for the client.
    async fn subscribe(
        &self,
        socket: u64,
        user: UserId,
        outbox: &Arc<Outbox>,
        topic: Topic,
        since: Option<Since>,
    ) -> Result<Membership, &'static str> {
        let _turn = self
            .inner
            .turns
            .acquire()
            .await
            .map_err(|_| "unavailable")?;
        let membership = self.join(socket, user, outbox, topic);
        let joined = async {
            let source = &self.inner.source;
            // The pool's connections may all be busy; the statement itself is short.
            let mut tx = source.begin().await?;
            if !source.admits(&mut tx, topic, user).await? {
                return Ok(None);
            }
            let Some(snapshot) = source.snapshot(&mut tx, topic).await? else {
                return Ok(None);
            };
            let missed = match since {
                Some(since) => resume::missed(source, &mut tx, topic, since, snapshot.head).await?,
                None => None,
            };
            Ok::<_, sqlx::Error>(Some((snapshot, missed)))
        };
        match joined.await {
            Ok(Some((snapshot, missed))) => {
                membership.hub.admit(socket, &snapshot, missed);
                Ok(membership)
            }
            Ok(None) => Err("not_found"),
            Err(error) => {
                tracing::warn!(%error, %topic, "could not subscribe");
                Err("unavailable")
            }
        }
    }

    fn join(&self, socket: u64, user: UserId, outbox: &Arc<Outbox>, topic: Topic) -> Membership {
        let mut hubs = self.hubs();
        let hub = hubs
            .entry(topic)
            .or_insert_with(|| Arc::new(Hub::new(topic, self.inner.bell.clone())))
            .clone();
        hub.join(socket, user, outbox.clone());
        metrics::gauge!("millrace_relay_topics").set(hubs.len() as f64);
        Membership {
            relay: self.clone(),
            hub,
            socket,
        }
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        let mut hubs = self.relay.hubs();
        if self.hub.leave(self.socket) {
            // Only this very hub: another one may have taken its place.
            if hubs
                .get(&self.hub.topic)
                .is_some_and(|hub| Arc::ptr_eq(hub, &self.hub))
            {
                hubs.remove(&self.hub.topic);
            }
        }
        metrics::gauge!("millrace_relay_topics").set(hubs.len() as f64);
    }
}

/// The closing frame's reason as text.
fn reason(why: Close) -> (u16, Utf8Bytes) {
    let (code, text) = why.frame();
    (code, Utf8Bytes::from_static(text))
}
