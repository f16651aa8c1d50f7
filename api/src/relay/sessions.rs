//! Whose sockets they are, and how they end with their sessions.

use std::{
    collections::HashMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use millrace_domain::{
    accounts::Session,
    ids::{SessionId, UserId},
};
use tokio::time::{MissedTickBehavior, interval};

use super::{
    Relay,
    outbox::{Close, Outbox},
};

/// How often sessions of sockets are looked at; bounds how long a socket outlives its session.
const SESSIONS_EVERY: Duration = Duration::from_secs(1);
/// Sockets of one person: a wall of tabs, not an attack.
const SOCKETS_PER_USER: usize = 30;

/// A socket that is signed in.
pub(super) struct Member {
    pub(super) user: UserId,
    pub(super) session: SessionId,
    pub(super) outbox: Arc<Outbox>,
}

impl Relay {
    /// Looks at once whether sockets outlived their sessions: after a sign-out here.
    pub(crate) fn recheck_sessions(&self) {
        self.inner.recheck.notify_one();
    }

    pub(super) fn sockets(&self) -> MutexGuard<'_, HashMap<u64, Member>> {
        self.inner
            .sockets
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whose socket it is; false if they have too many.
    pub(super) fn sign_in(&self, socket: u64, member: Member) -> bool {
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

    pub(super) fn sign_out(&self, socket: u64) {
        let mut sockets = self.sockets();
        sockets.remove(&socket);
        metrics::gauge!("millrace_relay_sockets").set(sockets.len() as f64);
    }

    /// Closes sockets whose sessions were revoked or whose people were deactivated.
    pub(super) async fn watch_sessions(self) {
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
