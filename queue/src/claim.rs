//! Claims work for all queues of the process, in one statement per round and never more than there are free slots.

use std::{collections::HashMap, sync::Arc, time::Duration};

use millrace_bus::Notifier;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    JobId,
    answer::{Acks, Guard},
    backend::Claimed,
    fetch::{BATCH, Fetch, GatedRow, Row},
    link::{Link, PATIENCE},
    log::LogBook,
    mutant::{self, Mutant},
    progress::ProgressBoard,
    slots::Slots,
    ticket::{Ticket, Tickets},
    wake::WORK,
};

/// Due jobs moved to the ready index per statement.
const PROMOTE: i32 = 1_000;

pub(crate) struct Claimer {
    pub(crate) worker: Uuid,
    pub(crate) kinds: Vec<String>,
    pub(crate) lease: Duration,
    pub(crate) poll: Duration,
    pub(crate) link: Link,
    pub(crate) slots: Arc<Slots>,
    pub(crate) acks: Acks,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) board: Arc<ProgressBoard>,
    pub(crate) book: Arc<LogBook>,
    pub(crate) notifier: Notifier,
    pub(crate) inboxes: HashMap<String, UnboundedSender<Claimed>>,
    pub(crate) origin: Instant,
    /// Tokens of claims whose answer was lost: what they took has no holder.
    pub(crate) doubtful: Vec<Uuid>,
    /// Of each queue, the gate at which the last claim stopped.
    pub(crate) gates: HashMap<String, String>,
    /// Of each queue, when a gate opens by itself.
    pub(crate) openings: HashMap<String, Instant>,
    /// Whose turn it is to choose first.
    pub(crate) gated_first: bool,
}

impl Claimer {
    /// Claims until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut poll_at = Instant::now();
        let mut due_at: Option<Instant> = None;
        while !stop.is_cancelled() {
            let mut failed = false;
            if Instant::now() >= poll_at {
                // Whatever was notified may have been missed: look everywhere.
                self.slots.wake_all();
                poll_at = Instant::now() + self.poll;
                if mutant::on(Mutant::NeverPolls) {
                    poll_at += Duration::from_secs(3600);
                }
            }
            if self.slots.take_clock() || due_at.is_some_and(|due| Instant::now() >= due) {
                match self.promote().await {
                    Ok(due) => due_at = due,
                    Err(_) => failed = true,
                }
            }
            self.open_gates();
            while !failed && !stop.is_cancelled() && !self.acks.is_full() {
                match self.claim_round().await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => failed = true,
                }
            }
            if failed {
                self.slots.wake_all();
                self.link.rest(&stop).await;
                continue;
            }
            let next = self.openings.values().copied().chain(due_at).min();
            let next = next.map_or(poll_at, |next| next.min(poll_at));
            tokio::select! {
                () = self.slots.rung() => {}
                () = sleep_until(next) => {}
                () = stop.cancelled() => {}
            }
        }
        // Nothing that was taken is forgotten: what cannot be released now ends with its lease.
        if !self.doubtful.is_empty() {
            let _ = self.release_doubtful().await;
        }
    }

    /// Claims from behind the gates and without, in turns. Says whether there was anything to look at.
    async fn claim_round(&mut self) -> Result<bool, sqlx::Error> {
        let mut looked = false;
        for gated in [self.gated_first, !self.gated_first] {
            let wanted = if gated {
                self.slots.take_gated()
            } else {
                self.slots.take_wanted()
            };
            if !wanted.is_empty() {
                self.claim(&wanted, gated).await?;
                looked = true;
            }
        }
        self.gated_first = !self.gated_first;
        Ok(looked)
    }

    /// Notes which gates have opened by themselves.
    fn open_gates(&mut self) {
        let (now, slots) = (Instant::now(), &self.slots);
        self.openings.retain(|queue, at| {
            let closed = *at > now;
            if !closed {
                slots.wake_gated(queue);
            }
            closed
        });
    }

    async fn claim(&mut self, wanted: &[(String, usize)], gated: bool) -> Result<(), sqlx::Error> {
        if !self.doubtful.is_empty() {
            self.release_doubtful().await?;
        }
        // Counted from before the statement, so that our idea of the lease never outlives the database's.
        let deadline = Instant::now() + self.lease;
        let token = Uuid::now_v7();
        let fetch = Fetch {
            wanted,
            kinds: &self.kinds,
            token,
            lease: self.lease,
            worker: self.worker,
        };
        let answer = timeout(PATIENCE, async {
            let conn = self.link.conn().await?;
            if gated {
                fetch.gated(conn, &self.gates).await
            } else {
                let rows = fetch.plain(conn).await?;
                Ok((rows, Vec::new()))
            }
        })
        .await;
        let (rows, stops) = match self.link.settle(answer) {
            Ok(answer) => answer,
            Err(error) => {
                self.doubtful.push(token);
                return Err(error);
            }
        };
        for stop in stops {
            self.note_stop(stop);
        }
        // Who got all it asked for may find more.
        for (queue, asked) in wanted {
            let got = rows.iter().filter(|row| row.queue == *queue).count();
            if got >= (*asked).min(BATCH) {
                if gated {
                    self.slots.wake_gated(queue);
                } else {
                    self.slots.wake(queue);
                }
            }
        }
        for row in rows {
            self.hand_out(row, token, deadline);
        }
        Ok(())
    }

    /// Notes where the walk past the gates of a queue ended, and when to come again.
    fn note_stop(&mut self, stop: GatedRow) {
        let queue = stop.row.queue;
        if let Some(seconds) = stop.opens_in {
            // A millisecond more, or rounding makes us look just too early.
            let wait = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
            let at = Instant::now() + wait + Duration::from_millis(1);
            self.openings.insert(queue.clone(), at);
        }
        self.gates.insert(queue, stop.gate.unwrap_or_default());
    }

    fn hand_out(&self, row: Row, token: Uuid, deadline: Instant) {
        let id = JobId(row.id);
        let ticket = Arc::new(Ticket::new(id, token, self.origin, deadline));
        self.tickets.insert(ticket.clone());
        let timeout = row.timeout();
        let backoff = row.backoff.0;
        let (run, args) = row.begin(
            ticket,
            self.board.clone(),
            self.book.clone(),
            self.notifier.clone(),
        );
        let (Some(slot), Some(inbox)) =
            (self.slots.occupy(&run.queue), self.inboxes.get(&run.queue))
        else {
            // Only our own queues are asked for.
            return;
        };
        let guard = Guard::new(run.clone(), timeout, backoff, self.acks.clone(), slot);
        // A refused job comes back in the error and is released by its guard.
        let _ = inbox.send(Claimed {
            run,
            args,
            guard: Some(guard),
        });
    }

    /// Moves due jobs to the ready index; says when the next one is due.
    async fn promote(&mut self) -> Result<Option<Instant>, sqlx::Error> {
        let answer = timeout(PATIENCE, async {
            let conn = self.link.conn().await?;
            sqlx::query_as::<_, (Option<String>, Option<f64>)>(
                "select wake, extract(epoch from next_due - clock_timestamp())::float8 from queue.promote($1)",
            )
            .bind(PROMOTE)
            .fetch_all(conn)
            .await
        })
        .await;
        let mut due = None;
        for (queue, wait) in self.link.settle(answer)? {
            if let Some(queue) = queue {
                // What we promoted and cannot take, others should hear of.
                if !self.slots.has_room(&queue) {
                    self.notifier.notify(WORK, &queue);
                }
                self.slots.wake(&queue);
            }
            if let Some(wait) = wait {
                // A millisecond more, or rounding makes us look just too early.
                due = Some(
                    Instant::now()
                        + Duration::from_secs_f64(wait.clamp(0.0, 3600.0))
                        + Duration::from_millis(1),
                );
            }
        }
        Ok(due)
    }

    /// Puts back what claims with a lost answer took.
    async fn release_doubtful(&mut self) -> Result<(), sqlx::Error> {
        let answer = timeout(PATIENCE, async {
            let conn = self.link.conn().await?;
            sqlx::query(
                "update queue.job set state = 'available', token = null, lease_until = null, worker_id = null,
                        attempt = attempt - 1
                  where worker_id = $1 and state = 'running' and token = any($2)",
            )
            .bind(self.worker)
            .bind(&self.doubtful)
            .execute(conn)
            .await
        })
        .await;
        self.link.settle(answer)?;
        self.doubtful.clear();
        Ok(())
    }
}
