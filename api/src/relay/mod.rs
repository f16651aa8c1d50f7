//! The relay: what happens in the database reaches the browsers that watch it.
//!
//! One LISTEN connection per process. NOTIFY only says where to look; a hub per watched topic looks, and a
//! position check every two seconds finds what nobody was told of.

/// The frames of the socket.
mod frame;
/// A watched topic.
mod hub;
/// What waits to be sent to one socket.
mod outbox;
/// Tickets and the upgrade.
pub(crate) mod routes;
/// One client.
mod socket;
/// What is read for a topic.
mod source;
/// The topics that clients may name.
mod topic;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use axum::extract::ws::Utf8Bytes;
use millrace_bus::{EVENTS, Head, Heard, Listener, TOUCHED, heads};
use millrace_domain::{
    accounts::Session,
    ids::{SessionId, UserId},
};
use sqlx::PgPool;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    frame::Since,
    hub::Hub,
    outbox::{Close, Outbox},
    source::Source,
    topic::Topic,
};
use crate::playback::Playback;

pub(crate) use source::upload_event;

/// How often subscribed topics are compared while nothing can be heard, and how often it is asked whether one can.
const WHILE_DEAF: Duration = Duration::from_millis(500);
/// How often sessions of sockets are looked at; bounds how long a socket outlives its session.
const SESSIONS_EVERY: Duration = Duration::from_secs(1);
/// Looks at the database at a time: progress must not starve requests of connections.
const LOOKS: usize = 4;
/// Sockets of one person: a wall of tabs, not an attack.
const SOCKETS_PER_USER: usize = 30;

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
    turns: Arc<Semaphore>,
    /// Hubs and sockets; the relay ends when they have.
    tasks: TaskTracker,
    recheck: Notify,
    shutdown: CancellationToken,
}

/// A socket that is signed in.
struct Member {
    user: UserId,
    session: SessionId,
    outbox: Arc<Outbox>,
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
                turns: Arc::new(Semaphore::new(LOOKS)),
                tasks: TaskTracker::new(),
                recheck: Notify::new(),
                shutdown,
            }),
        };
        relay.inner.tasks.spawn(relay.clone().listen(listener));
        relay.inner.tasks.spawn(relay.clone().watch_sessions());
        relay
    }

    /// Waits until all sockets are closed, after shutdown.
    pub(crate) async fn ended(&self) {
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Looks at once whether sockets outlived their sessions: after a sign-out here.
    pub(crate) fn recheck_sessions(&self) {
        self.inner.recheck.notify_one();
    }

    fn hubs(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Hub>>> {
        self.inner
            .hubs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn sockets(&self) -> MutexGuard<'_, HashMap<u64, Member>> {
        self.inner
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose socket it is; false if they have too many.
    fn sign_in(&self, socket: u64, member: Member) -> bool {
        let mut sockets = self.sockets();
        let others = sockets
            .iter()
            .filter(|(id, other)| **id != socket && other.user == member.user)
            .count();
        if others >= SOCKETS_PER_USER {
            return false;
        }
        sockets.insert(socket, member);
        metrics::gauge!("millrace_relay_sockets").set(sockets.len() as f64);
        true
    }

    fn sign_out(&self, socket: u64) {
        let mut sockets = self.sockets();
        sockets.remove(&socket);
        metrics::gauge!("millrace_relay_sockets").set(sockets.len() as f64);
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
                Some(since) => hub::missed(source, &mut tx, topic, since, snapshot.head).await?,
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
            .or_insert_with(|| {
                let hub = Arc::new(Hub::new(topic));
                let run = hub
                    .clone()
                    .run(self.inner.source.clone(), self.inner.turns.clone());
                self.inner.tasks.spawn(run);
                hub
            })
            .clone();
        hub.join(socket, user, outbox.clone());
        metrics::gauge!("millrace_relay_topics").set(hubs.len() as f64);
        Membership {
            relay: self.clone(),
            hub,
            socket,
        }
    }

    /// Hears, checks positions, and at the end closes the hubs.
    async fn listen(self, listener: Listener) {
        let mut subscription = listener.subscribe();
        let mut ticks = interval(WHILE_DEAF);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut checked = Instant::now();
        loop {
            tokio::select! {
                heard = subscription.next() => self.heard(&heard),
                _ = ticks.tick() => {
                    if !listener.is_up() || checked.elapsed() >= self.inner.options.position_check {
                        self.check_positions().await;
                        checked = Instant::now();
                    }
                }
                () = self.inner.shutdown.cancelled() => return,
            }
        }
    }

    fn heard(&self, heard: &Heard) {
        match heard {
            Heard::Notice { channel, payload } => {
                let Ok(topic) = payload.parse::<Topic>() else {
                    return;
                };
                let Some(hub) = self.hubs().get(&topic).cloned() else {
                    return;
                };
                if **channel == *EVENTS {
                    hub.heard_events();
                } else if **channel == *TOUCHED {
                    hub.heard_progress();
                }
            }
            Heard::Gap => {
                for hub in self.hubs().values() {
                    hub.heard_events();
                    hub.heard_progress();
                }
            }
        }
    }

    /// One query for all topics with local subscribers.
    async fn check_positions(&self) {
        let hubs: Vec<Arc<Hub>> = self.hubs().values().cloned().collect();
        if hubs.is_empty() {
            return;
        }
        let names: Vec<String> = hubs.iter().map(|hub| hub.name.clone()).collect();
        match heads(&self.inner.source.db, &names).await {
            Ok(heads) => {
                let heads: HashMap<String, Head> = heads.into_iter().collect();
                for hub in hubs {
                    hub.check(heads.get(&hub.name).copied().unwrap_or(Head::NONE));
                }
            }
            Err(error) => tracing::warn!(%error, "could not check the positions of topics"),
        }
    }

    /// Closes sockets whose sessions were revoked or whose people were deactivated.
    async fn watch_sessions(self) {
        let mut ticks = interval(SESSIONS_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.inner.recheck.notified() => {}
                () = self.inner.shutdown.cancelled() => return,
            }
            let mut sessions: Vec<SessionId> = self
                .sockets()
                .values()
                .map(|member| member.session)
                .collect();
            if sessions.is_empty() {
                continue;
            }
            sessions.sort_unstable();
            sessions.dedup();
            match Session::ended(&self.inner.source.db, &sessions).await {
                Ok(ended) => {
                    for member in self
                        .sockets()
                        .values()
                        .filter(|member| ended.contains(&member.session))
                    {
                        member.outbox.close(Close::Revoked);
                    }
                }
                Err(error) => tracing::warn!(%error, "could not check the sessions of sockets"),
            }
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
            self.hub.ended.cancel();
        }
        metrics::gauge!("millrace_relay_topics").set(hubs.len() as f64);
    }
}

/// The closing frame's reason as text.
fn reason(why: Close) -> (u16, Utf8Bytes) {
    let (code, text) = why.frame();
    (code, Utf8Bytes::from_static(text))
}
