//! The way out of a worker: no claims, jobs finished or released, every answer accepted.

use std::{sync::PoisonError, time::Duration};

use apalis_core::monitor::context::MonitorContext;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::{CancelReason, EngineOptions, answer::Acks, backend::Inbox, ticket::Tickets};

/// What became of the running jobs at shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Jobs that were running when the shutdown was asked for.
    pub running: usize,
    /// Those that had to be stopped at the deadline and will run elsewhere.
    pub stopped: usize,
    /// Whether the database took every answer.
    pub clean: bool,
    /// Whether nobody asked for it: a loop of the engine had ended by itself. The process should be started anew.
    pub broken: bool,
}

/// The way out.
pub(crate) struct Drain<'a> {
    pub(crate) options: &'a EngineOptions,
    pub(crate) tickets: &'a Tickets,
    pub(crate) acks: &'a Acks,
    pub(crate) receivers: &'a [(String, Inbox)],
    pub(crate) broken: bool,
}

impl Drain<'_> {
    /// Lets runs finish, stops the rest at the deadline, and waits for every answer to be accepted.
    pub(crate) async fn run<T>(
        &self,
        workers: &MonitorContext,
        mut working: AbortOnDropHandle<T>,
    ) -> Drained {
        let deadline = Instant::now() + self.options.drain_timeout;
        // Workers poll no more; what they have not started is released by its guard.
        if let Err(error) = workers.shutdown() {
            tracing::error!(%error, "could not tell apalis's workers to stop");
        }
        for (_, inbox) in self.receivers {
            let mut inbox = inbox.lock().unwrap_or_else(PoisonError::into_inner);
            inbox.close();
            while inbox.try_recv().is_ok() {}
        }
        let running = self
            .tickets
            .all()
            .iter()
            .filter(|t| !t.is_answered())
            .count();
        if running > 0 {
            tracing::info!("draining: {running} jobs are still running");
        }
        // The last part of the time is for cleaning up.
        let grace = (self.options.drain_timeout / 4).min(Duration::from_secs(2));
        let mut stopped = 0;
        if !working.is_finished()
            && timeout(
                self.options.drain_timeout.saturating_sub(grace),
                &mut working,
            )
            .await
            .is_err()
        {
            for ticket in self.tickets.all() {
                if !ticket.is_answered() {
                    stopped += 1;
                    ticket.cancel(CancelReason::Shutdown);
                }
            }
            if timeout(grace, &mut working).await.is_err() {
                // Dropping the workers aborts their runs, and the guards release them.
                working.abort();
                let _ = timeout(Duration::from_millis(500), &mut working).await;
            }
        }
        // With the database away, leases end by themselves; nobody waits for it for ever.
        let patience = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(500));
        let clean = timeout(patience, async {
            while !self.acks.is_empty() {
                self.acks.settled().await;
            }
        })
        .await
        .is_ok();
        Drained {
            running,
            stopped,
            clean,
            broken: self.broken,
        }
    }
}
