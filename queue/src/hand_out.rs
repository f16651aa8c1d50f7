//! Makes runs of claimed rows, beside the claimer: it sends its next claim while these are unpacked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::Duration,
};

use millrace_bus::Notifier;
use sqlx::{FromRow as _, postgres::PgRow};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::Instant,
};
use uuid::Uuid;

use crate::{
    Backoff, JobId, Run,
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
        let backoff = row.backoff.map_or_else(
            || {
                let of_kind = self.backoffs.get(row.kind.as_str());
                of_kind.copied().unwrap_or(Backoff::DEFAULT)
            },
            |own| own.0,
        );
        let meter = self.meters.of(&row.queue, &row.kind);
        meter.wait.record(row.waited.unwrap_or_default().max(0.0));
        let run = Arc::new(Run {
            id,
            kind: row.kind,
            queue: row.queue,
            attempt: u32::try_from(row.attempt).unwrap_or(1),
            max_attempts: u32::try_from(row.max_attempts).unwrap_or(1),
            run_no: row.run_no,
            owner: row.owner,
            group: row.group_id,
            meta: row.meta,
            checkpoint: row.checkpoint,
            traceparent: row.traceparent,
            created_at: row.created_at,
            ticket,
            board: self.board.clone(),
            notifier: self.notifier.clone(),
            topics: Mutex::new(Arc::from([])),
            book: self.book.clone(),
            lines: AtomicI32::new(0),
            meter,
        });
        let timeout = Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or(0));
        let guard = Guard::new(run.clone(), timeout, backoff, self.acks.clone(), slot);
        let Some(inbox) = self.inboxes.get(&run.queue) else {
            // Only our own queues are asked for; the guard releases it.
            return;
        };
        // A refused job comes back in the error and is released by its guard.
        let _ = inbox.send(Claimed {
            run,
            args: row.args,
            guard: Some(guard),
        });
    }
}
