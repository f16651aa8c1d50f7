//! Claims work for all queues of the process, in one statement per round and never more than there are free slots.

use std::{collections::HashMap, sync::Arc, time::Duration};

use millrace_bus::Notifier;
use sqlx::postgres::PgRow;
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    answer::Acks,
    fetch::{BATCH, Fetch, Stop, queue_of},
    hand_out::Batch,
    link::{Link, PATIENCE},
    mutant::{self, Mutant},
    slots::{PACE, Slots},
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
    pub(crate) notifier: Notifier,
    /// Where claimed jobs go.
    pub(crate) claimed: UnboundedSender<Batch>,
    /// When the last claim came back.
    pub(crate) claimed_at: Instant,
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
            while !failed {
                self.pace(&stop).await;
                if stop.is_cancelled() || self.acks.is_full() {
                    break;
                }
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

    /// Waits while the last claim was only just now and few places are free: some more will be in a moment, and a claim of
    /// twenty jobs costs hardly more than a claim of one.
    async fn pace(&self, stop: &CancellationToken) {
        let until = self.claimed_at + PACE;
        let mut rung = false;
        while Instant::now() < until && !self.slots.has_room_for_many() && !stop.is_cancelled() {
            tokio::select! {
                () = self.slots.rung() => rung = true,
                () = sleep_until(until) => {}
                () = stop.cancelled() => {}
            }
        }
        if rung {
            // It may have been about the clock, which is not looked at before the claims are through.
            self.slots.ring();
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
        self.claimed_at = Instant::now();
        for stop in stops {
            self.note_stop(stop);
        }
        self.pass_on(rows, wanted, gated, token, deadline);
        Ok(())
    }

    /// Gives claimed jobs their places and passes them on.
    fn pass_on(
        &self,
        rows: Vec<PgRow>,
        wanted: &[(String, usize)],
        gated: bool,
        token: Uuid,
        deadline: Instant,
    ) {
        let mut got = vec![0_usize; wanted.len()];
        let mut placed = Vec::with_capacity(rows.len());
        for row in rows {
            // Only our own queues are asked for.
            let queue = queue_of(&row).unwrap_or_default();
            let asked = wanted.iter().position(|(name, _)| name == queue);
            if let (Some(at), Some(slot)) = (asked, self.slots.occupy(queue)) {
                got[at] += 1;
                placed.push((row, slot));
            }
        }
        // Who got all it asked for may find more.
        for ((queue, asked), got) in wanted.iter().zip(got) {
            if got >= (*asked).min(BATCH) {
                if gated {
                    self.slots.wake_gated(queue);
                } else {
                    self.slots.wake(queue);
                }
            }
        }
        if !placed.is_empty() {
            // What nobody takes any more is given back by its lease.
            let _ = self.claimed.send(Batch {
                rows: placed,
                token,
                deadline,
            });
        }
    }

    /// Notes where the walk past the gates of a queue ended, and when to come again.
    fn note_stop(&mut self, stop: Stop) {
        if let Some(seconds) = stop.opens_in {
            // A millisecond more, or rounding makes us look just too early.
            let wait = Duration::from_secs_f64(seconds.clamp(0.0, 3600.0));
            let at = Instant::now() + wait + Duration::from_millis(1);
            self.openings.insert(stop.queue.clone(), at);
        }
        self.gates.insert(stop.queue, stop.gate);
    }

    /// Moves due jobs to the ready index, and looks whether any stand behind gates; says when the next one is due.
    async fn promote(&mut self) -> Result<Option<Instant>, sqlx::Error> {
        let answer = timeout(PATIENCE, async {
            let conn = self.link.conn().await?;
            sqlx::query_as::<_, (Option<String>, Option<f64>, bool)>(
                "select wake, date_part('epoch', next_due - clock_timestamp()), true from queue.promote($1)
                 union all
                 select name || '*', null, false from unnest($2::text[]) as q(name)
                  where exists (select from queue.job where queue = name and state = 'available' and gate is not null)",
            )
            .bind(PROMOTE)
            .bind(self.slots.names())
            .fetch_all(conn)
            .await
        })
        .await;
        let mut due = None;
        for (queue, wait, promoted) in self.link.settle(answer)? {
            if let Some(queue) = queue {
                // What we promoted and cannot take, others should hear of.
                if promoted && !self.slots.has_room(&queue) {
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
