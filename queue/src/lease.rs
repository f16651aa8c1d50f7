//! Keeps the leases of this process alive, on a task and a connection of its own, also while it drains.
//!
//! Three clocks: every heartbeat the leases are renewed; every poll (and whenever somebody notifies a cancellation)
//! the rows are read, which finds lost leases and requested cancellations within a second even with NOTIFY dead; and a
//! lease that could not be renewed ends by our own clock, so that a process that was stopped or cut off lets go of its
//! jobs before another one takes them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::Value;
use sqlx::PgConnection;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    CancelReason,
    job::millis,
    link::Link,
    mutant::{self, Mutant},
    slots::Slots,
    ticket::{Ticket, Tickets},
};

/// How often the deadlines of all leases are looked over: new ones come in between.
const LET_GO_EVERY: Duration = Duration::from_millis(250);

pub(crate) struct Keeper {
    pub(crate) worker: Worker,
    pub(crate) lease: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) poll: Duration,
    pub(crate) link: Link,
    pub(crate) tickets: Arc<Tickets>,
    pub(crate) slots: Arc<Slots>,
    /// Rung when somebody notifies a cancellation.
    pub(crate) bell: Arc<Notify>,
    pub(crate) draining: CancellationToken,
}

/// This process in the table of workers.
#[derive(Debug, Clone)]
pub(crate) struct Worker {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) queues: Value,
    pub(crate) kinds: Vec<String>,
    pub(crate) slots: i32,
}

impl Keeper {
    /// Keeps the leases until `stop`, then takes the worker out of the table.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let (tickets, tick) = (self.tickets.clone(), (self.lease / 4).min(LET_GO_EVERY));
        // Side by side: a database that does not answer must not keep us from letting go.
        tokio::join!(self.renew_until(&stop), let_go_until(&tickets, tick, &stop));
    }

    async fn renew_until(mut self, stop: &CancellationToken) {
        let mut beat_at = Instant::now();
        let mut look_at = Instant::now();
        let mut failed = false;
        while !stop.is_cancelled() {
            let now = Instant::now();
            if now >= beat_at {
                failed = self.beat().await.is_err();
                // After a failure the next try comes soon: the leases are running out.
                beat_at = now
                    + if failed {
                        (self.heartbeat / 4).min(Duration::from_secs(1))
                    } else {
                        self.heartbeat
                    };
            }
            if now >= look_at && !failed {
                failed = self.look().await.is_err();
                look_at = Instant::now() + self.poll;
            }
            if failed {
                self.link.rest(stop).await;
                failed = false;
                continue;
            }
            let next = look_at.min(beat_at);
            tokio::select! {
                () = sleep_until(next) => {}
                () = self.bell.notified() => look_at = Instant::now(),
                // What it has no room for, others should know at once.
                () = self.slots.holds_changed() => beat_at = Instant::now(),
                () = stop.cancelled() => {}
            }
        }
        let answer = timeout(Duration::from_secs(1), async {
            let conn = self.link.conn().await?;
            sqlx::query("delete from queue.worker where id = $1")
                .bind(self.worker.id)
                .execute(conn)
                .await
        })
        .await;
        // A row that stays is swept by the maintenance.
        let _ = self.link.settle(answer);
    }

    async fn beat(&mut self) -> Result<(), sqlx::Error> {
        let tickets = self.tickets.all();
        let deadline = Instant::now() + self.lease;
        let limit = self.lease / 3;
        let running = i32::try_from(self.slots.used()).unwrap_or(i32::MAX);
        let held = self.slots.held();
        let answer = timeout(limit, async {
            let conn = self.link.conn().await?;
            let drains = self.draining.is_cancelled();
            announce(conn, &self.worker, running, &held, drains).await?;
            if tickets.is_empty()
                || mutant::on(Mutant::NeverRenews)
                || (drains && mutant::on(Mutant::DrainUnrenewed))
            {
                return Ok(Vec::new());
            }
            renew(conn, &tickets, self.lease).await
        })
        .await;
        let renewed = self.link.settle(answer)?;
        let by_id: HashMap<Uuid, &Arc<Ticket>> = tickets.iter().map(|t| (t.id.0, t)).collect();
        for id in renewed {
            if let Some(ticket) = by_id.get(&id) {
                ticket.extend(deadline);
            }
        }
        Ok(())
    }

    /// Reads the rows of our runs. No locks: a run that is just committing blocks nothing here.
    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let tickets = self.tickets.all();
        if tickets.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = tickets.iter().map(|t| t.id.0).collect();
        let limit = self.lease / 3;
        let answer = timeout(limit, async {
            let conn = self.link.conn().await?;
            sqlx::query_as::<_, (Uuid, Option<Uuid>, bool, Option<i64>)>(
                "select id, token, cancel_requested_at is not null, cancel_grace_ms from queue.job where id = any($1)",
            )
            .bind(&ids)
            .fetch_all(conn)
            .await
        })
        .await;
        let rows = self.link.settle(answer)?;
        let rows: HashMap<Uuid, _> = rows.into_iter().map(|row| (row.0, row)).collect();
        let mut told = Vec::new();
        for ticket in tickets {
            match rows.get(&ticket.id.0) {
                Some((_, Some(token), cancel, grace)) if *token == ticket.token => {
                    let grace = grace.map(|ms| Duration::from_millis(ms.unsigned_abs()));
                    if *cancel && !mutant::on(Mutant::CancelIgnored) && ticket.request_cancel(grace)
                    {
                        told.push(ticket);
                    }
                }
                // Answered runs are gone because they were accepted.
                _ if ticket.is_answered() || mutant::on(Mutant::NeverLetsGo) => {}
                _ => {
                    if ticket.why().is_none() {
                        tracing::warn!(job.id = %ticket.id, "the lease is lost; stopping the run");
                    }
                    ticket.cancel(CancelReason::LeaseLost);
                }
            }
        }
        self.note_delivered(&told).await
    }

    /// Notes that these runs have been told to stop.
    async fn note_delivered(&mut self, told: &[Arc<Ticket>]) -> Result<(), sqlx::Error> {
        if told.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = told.iter().map(|ticket| ticket.id.0).collect();
        let tokens: Vec<Uuid> = told.iter().map(|ticket| ticket.token).collect();
        let limit = self.lease / 3;
        let answer = timeout(limit, async {
            let conn = self.link.conn().await?;
            // A run that stops at once has its row locked or gone: it was told all the same.
            sqlx::query(
                "update queue.job set cancel_delivered_at = clock_timestamp()
                  where id = any(array(
                        select j.id from queue.job j
                         where j.id = any($1) and j.token = any($2) order by j.id for update skip locked))",
            )
            .bind(&ids)
            .bind(&tokens)
            .execute(conn)
            .await
        })
        .await;
        self.link.settle(answer).map(drop)
    }
}

/// Stops runs whose lease has ended by our own clock, in time before another worker may take them.
async fn let_go_until(tickets: &Tickets, tick: Duration, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        let now = Instant::now();
        let mut next = now + tick;
        for ticket in tickets.all() {
            if !ticket.is_watched() || mutant::on(Mutant::NeverLetsGo) {
                continue;
            }
            if now >= ticket.deadline() {
                tracing::warn!(job.id = %ticket.id, "the lease could not be renewed in time; stopping the run");
                ticket.cancel(CancelReason::LeaseLost);
            } else {
                next = next.min(ticket.deadline());
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Extends leases that still carry our token. A row that a fenced transaction holds is skipped rather than waited for:
/// it is safe while locked, and the next beat comes before its lease ends.
async fn renew(
    conn: &mut PgConnection,
    tickets: &[Arc<Ticket>],
    lease: Duration,
) -> Result<Vec<Uuid>, sqlx::Error> {
    let ids: Vec<Uuid> = tickets.iter().map(|t| t.id.0).collect();
    let tokens: Vec<Uuid> = tickets.iter().map(|t| t.token).collect();
    sqlx::query_scalar(mutant::sql(
        Mutant::RenewUnfenced,
        "update queue.job set lease_until = clock_timestamp() + $3 * interval '1 millisecond'
          where id = any(array(
                select j.id from queue.job j
                 where j.id = any($1) and j.token = any($2) and j.state = 'running'
                 order by j.id for update skip locked))
        returning id",
        &[("j.token = any($2)", "$2::uuid[] is not null")],
    ))
    .bind(ids)
    .bind(tokens)
    .bind(millis(lease))
    .fetch_all(conn)
    .await
}

async fn announce(
    conn: &mut PgConnection,
    worker: &Worker,
    running: i32,
    held: &[String],
    draining: bool,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into queue.worker (id, name, version, queues, kinds, slots, running, draining, held)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (id) do update
            set running = excluded.running, draining = excluded.draining, held = excluded.held,
                heartbeat_at = clock_timestamp()",
    )
    .bind(worker.id)
    .bind(&worker.name)
    .bind(&worker.version)
    .bind(&worker.queues)
    .bind(&worker.kinds)
    .bind(worker.slots)
    .bind(running)
    .bind(draining)
    .bind(held)
    .execute(conn)
    .await?;
    Ok(())
}
