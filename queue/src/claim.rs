//! Claims work for all queues of the process, in one statement per round and never more than there are free slots.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Backoff, JobId, Run,
    answer::{Acks, Guard},
    backend::Claimed,
    job::millis,
    link::{Link, PATIENCE},
    progress::ProgressBoard,
    slots::Slots,
    ticket::{Ticket, Tickets},
    wake::WORK,
};

/// Jobs per statement.
const BATCH: usize = 500;
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
    pub(crate) notifier: Notifier,
    pub(crate) inboxes: HashMap<String, UnboundedSender<Claimed>>,
    pub(crate) origin: Instant,
    /// Tokens of claims whose answer was lost: what they took has no holder.
    pub(crate) doubtful: Vec<Uuid>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    kind: String,
    queue: String,
    args: Value,
    attempt: i32,
    max_attempts: i32,
    run_no: i32,
    timeout_ms: i64,
    backoff: Json<Backoff>,
    owner: Option<Uuid>,
    group_id: Option<Uuid>,
    checkpoint: Option<Value>,
    meta: Value,
    traceparent: Option<String>,
    created_at: DateTime<Utc>,
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
            }
            if self.slots.take_clock() || due_at.is_some_and(|due| Instant::now() >= due) {
                match self.promote().await {
                    Ok(due) => due_at = due,
                    Err(_) => failed = true,
                }
            }
            while !failed && !stop.is_cancelled() && !self.acks.is_full() {
                let wanted = self.slots.take_wanted();
                if wanted.is_empty() {
                    break;
                }
                if self.claim(&wanted).await.is_err() {
                    failed = true;
                }
            }
            if failed {
                self.slots.wake_all();
                self.link.rest(&stop).await;
                continue;
            }
            let next = due_at.map_or(poll_at, |due| due.min(poll_at));
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

    async fn claim(&mut self, wanted: &[(String, usize)]) -> Result<(), sqlx::Error> {
        if !self.doubtful.is_empty() {
            self.release_doubtful().await?;
        }
        // Counted from before the statement, so that our idea of the lease never outlives the database's.
        let deadline = Instant::now() + self.lease;
        let token = Uuid::now_v7();
        let answer = timeout(PATIENCE, async {
            let conn = self.link.conn().await?;
            fetch(conn, wanted, &self.kinds, token, self.lease, self.worker).await
        })
        .await;
        let rows = match self.link.settle(answer) {
            Ok(rows) => rows,
            Err(error) => {
                self.doubtful.push(token);
                return Err(error);
            }
        };
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for (queue, _) in wanted {
            counts.insert(queue, 0);
        }
        for row in &rows {
            if let Some(count) = counts.get_mut(row.queue.as_str()) {
                *count += 1;
            }
        }
        // Who got all it asked for may find more.
        for (queue, asked) in wanted {
            if counts
                .get(queue.as_str())
                .is_some_and(|&got| got >= (*asked).min(BATCH))
            {
                self.slots.wake(queue);
            }
        }
        for row in rows {
            self.hand_out(row, token, deadline);
        }
        Ok(())
    }

    fn hand_out(&self, row: Row, token: Uuid, deadline: Instant) {
        let id = JobId(row.id);
        let ticket = Arc::new(Ticket::new(id, token, self.origin, deadline));
        self.tickets.insert(ticket.clone());
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
        });
        let (Some(slot), Some(inbox)) =
            (self.slots.occupy(&run.queue), self.inboxes.get(&run.queue))
        else {
            // Only our own queues are asked for.
            return;
        };
        let timeout = Duration::from_millis(u64::try_from(row.timeout_ms).unwrap_or(0));
        let guard = Guard::new(run.clone(), timeout, row.backoff.0, self.acks.clone(), slot);
        // A refused job comes back in the error and is released by its guard.
        let _ = inbox.send(Claimed {
            run,
            args: row.args,
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

/// The claim. Tuned by measurement: `= any(array(select ... for update skip locked))` keeps an index plan whatever the
/// batch, where `update ... from (select ... limit $n)` flips to a hash join and a full scan (16.6 k against 64 k/s).
/// The ready index gives the order; jobs of kinds that nobody here runs are stepped over.
async fn fetch(
    conn: &mut PgConnection,
    wanted: &[(String, usize)],
    kinds: &[String],
    token: Uuid,
    lease: Duration,
    worker: Uuid,
) -> Result<Vec<Row>, sqlx::Error> {
    let queues: Vec<&str> = wanted.iter().map(|(queue, _)| queue.as_str()).collect();
    let limits: Vec<i64> = wanted
        .iter()
        .map(|(_, free)| i64::try_from((*free).min(BATCH)).unwrap_or(0))
        .collect();
    sqlx::query_as(include_str!("claim.sql"))
        .bind(queues)
        .bind(limits)
        .bind(kinds)
        .bind(token)
        .bind(millis(lease))
        .bind(worker)
        .fetch_all(conn)
        .await
}
