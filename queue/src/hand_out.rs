//! Makes runs of claimed rows, beside the claimer: it sends its next claim while these are unpacked.

use std::{collections::HashMap, sync::Arc};

use millrace_bus::Notifier;
use sqlx::{FromRow as _, postgres::PgRow};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    Backoff, JobId,
    answer::{Acks, Guard},
    backend::Claimed,
    fetch::Row,
    log::LogBook,
    meter::Meters,
    progress::ProgressBoard,
    slots::Slot,
    ticket::{Ticket, Tickets},
};

/// What one claim took. Never longer than there were free places, each of which its job has already.
pub(crate) struct Batch {
    pub(crate) rows: Vec<(PgRow, Slot)>,
    pub(crate) token: Uuid,
    /// When the lease ends by our own clock.
    pub(crate) deadline: Instant,
}

pub(crate) struct HandOut {
    pub(crate) acks: Acks,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) board: Arc<ProgressBoard>,
    pub(crate) book: Arc<LogBook>,
    pub(crate) meters: Meters,
    pub(crate) notifier: Notifier,
    pub(crate) inboxes: HashMap<String, UnboundedSender<Claimed>>,
    pub(crate) origin: Instant,
    /// Of each kind, for jobs without one of their own.
    pub(crate) backoffs: HashMap<&'static str, Backoff>,
}

impl HandOut {
    /// Hands out until the claimer is gone.
    pub(crate) async fn run(mut self, mut batches: UnboundedReceiver<Batch>) {
        while let Some(batch) = batches.recv().await {
            for (row, slot) in batch.rows {
                match Row::from_row(&row) {
                    Ok(row) => self.hand_out(row, slot, batch.token, batch.deadline),
                    // Its lease ends by itself; nothing that we could say of it would be about the right job.
                    Err(error) => tracing::error!(%error, "a claimed job cannot be read"),
                }
            }
        }
    }

    fn hand_out(&mut self, row: Row, slot: Slot, token: Uuid, deadline: Instant) {
        let id = JobId(row.id);
        let ticket = Arc::new(Ticket::new(id, token, self.origin, deadline));
        self.tickets.insert(ticket.clone());
        let meter = self.meters.of(&row.queue, &row.kind);
        meter.wait.record(row.waited.unwrap_or_default().max(0.0));
        let (timeout, backoff) = (row.timeout(), row.backoff(&self.backoffs));
        let (run, args) = row.begin(
            ticket,
            self.board.clone(),
            self.book.clone(),
            self.notifier.clone(),
            meter,
        );
        let guard = Guard::new(run.clone(), timeout, backoff, self.acks.clone(), slot);
        let Some(inbox) = self.inboxes.get(&run.queue) else {
            // Only our own queues are asked for; the guard releases it.
            return;
        };
        // A refused job comes back in the error and is released by its guard.
        let _ = inbox.send(Claimed {
            run,
            args,
            guard: Some(guard),
        });
    }
}
