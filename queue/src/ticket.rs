//! The claims this process holds: one ticket per run, and the set of all of them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    JobId,
    mutant::{self, Mutant},
};

/// Why a run was told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CancelReason {
    /// Another worker may run the job by now: write nothing more.
    LeaseLost,
    /// Somebody asked for it.
    Requested,
    /// It took longer than its kind allows.
    Timeout,
    /// The worker stops; the job runs again elsewhere and its attempt is given back.
    Shutdown,
}

impl CancelReason {
    /// The word used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LeaseLost => "lease_lost",
            Self::Requested => "requested",
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
        }
    }
}

/// The claim of one run: proof towards the database, and the wire by which the run is stopped.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) id: JobId,
    pub(crate) token: Uuid,
    stop: CancellationToken,
    why: Mutex<Option<CancelReason>>,
    /// When the lease ends by our own clock, in ms since `origin`. Counted from before the claim or renewal was sent,
    /// so that it never ends later than the database's.
    deadline: AtomicU64,
    origin: Instant,
    /// The run has answered, or is committing its answer: a missing row is then no loss.
    answered: AtomicBool,
    /// The run got the job further.
    advanced: AtomicBool,
    /// How long the run may take to stop, when whoever cancelled it said so.
    grace: OnceLock<Duration>,
}

impl Ticket {
    pub(crate) fn new(id: JobId, token: Uuid, origin: Instant, deadline: Instant) -> Self {
        let ticket = Self {
            id,
            token,
            stop: CancellationToken::new(),
            why: Mutex::new(None),
            deadline: AtomicU64::new(0),
            origin,
            answered: AtomicBool::new(false),
            advanced: AtomicBool::new(false),
            grace: OnceLock::new(),
        };
        ticket.extend(deadline);
        ticket
    }

    pub(crate) fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Tells the run to stop. The first reason stays, but for a lost lease: after that nothing else matters.
    pub(crate) fn cancel(&self, reason: CancelReason) {
        let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        if why.is_none() || reason == CancelReason::LeaseLost {
            *why = Some(reason);
        }
        drop(why);
        self.stop.cancel();
    }

    /// Tells the run that somebody asked for its end, and how long it may take. Says whether it did not know.
    pub(crate) fn request_cancel(&self, grace: Option<Duration>) -> bool {
        let news = self.why().is_none();
        if let Some(grace) = grace {
            let _ = self.grace.set(grace);
        }
        self.cancel(CancelReason::Requested);
        news
    }

    pub(crate) fn grace(&self) -> Option<Duration> {
        self.grace.get().copied()
    }

    pub(crate) fn why(&self) -> Option<CancelReason> {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the run may begin. Not once its lease has ended, as it may have for a process that was frozen after its
    /// claim: somebody else runs the job by now, or another one with its key.
    pub(crate) fn may_begin(&self) -> bool {
        if Instant::now() >= self.deadline() && !mutant::on(Mutant::NeverLetsGo) {
            self.cancel(CancelReason::LeaseLost);
        }
        self.why() != Some(CancelReason::LeaseLost)
    }

    /// Whether the end of the lease would still have to be acted upon.
    pub(crate) fn is_watched(&self) -> bool {
        !self.is_answered() && self.why() != Some(CancelReason::LeaseLost)
    }

    pub(crate) fn extend(&self, deadline: Instant) {
        let ms = deadline.saturating_duration_since(self.origin).as_millis();
        self.deadline
            .fetch_max(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.origin + Duration::from_millis(self.deadline.load(Ordering::Relaxed))
    }

    pub(crate) fn set_answered(&self, answered: bool) {
        self.answered.store(answered, Ordering::SeqCst);
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.answered.load(Ordering::SeqCst)
    }

    pub(crate) fn set_advanced(&self) {
        self.advanced.store(true, Ordering::SeqCst);
    }

    pub(crate) fn has_advanced(&self) -> bool {
        self.advanced.load(Ordering::SeqCst)
    }
}

/// All tickets of this process, from the claim until the answer is accepted. What is in here is renewed.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    map: Mutex<HashMap<JobId, Arc<Ticket>>>,
}

impl Tickets {
    /// Adds a claim. An older one of the same job is lost: this process has just claimed again what was taken from it.
    pub(crate) fn insert(&self, ticket: Arc<Ticket>) {
        let older = self.lock().insert(ticket.id, ticket);
        if let Some(older) = older.filter(|older| older.is_watched()) {
            tracing::warn!(job.id = %older.id, "the lease is lost; stopping the run");
            older.cancel(CancelReason::LeaseLost);
        }
    }

    /// Forgets a claim, but not a newer one of the same job.
    pub(crate) fn remove(&self, id: JobId, token: Uuid) {
        let mut map = self.lock();
        if map.get(&id).is_some_and(|ticket| ticket.token == token) {
            map.remove(&id);
        }
    }

    /// All tickets, by id: every statement over several jobs locks them in this order.
    pub(crate) fn all(&self) -> Vec<Arc<Ticket>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_unstable_by_key(|ticket| ticket.id);
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Arc<Ticket>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_lease_has_ended_does_not_begin() {
        let now = Instant::now();
        let until = |deadline| Ticket::new(JobId::new(), Uuid::now_v7(), now, deadline);
        let held = until(now + Duration::from_secs(60));
        assert!(held.may_begin() && held.why().is_none());
        let late = until(now);
        assert!(!late.may_begin());
        assert_eq!(late.why(), Some(CancelReason::LeaseLost));
        // As when a later claim of this very process has told it.
        held.cancel(CancelReason::LeaseLost);
        assert!(!held.may_begin());
    }
}
