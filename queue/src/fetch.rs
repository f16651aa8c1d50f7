//! The statements that claim.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::Duration,
};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use serde_json::Value;
use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow, types::Json};
use uuid::Uuid;

use crate::{
    Backoff, JobId, Run,
    job::millis,
    log::LogBook,
    meter::Meter,
    mutant::{self, Mutant},
    progress::ProgressBoard,
    ticket::Ticket,
};

/// Jobs per statement.
pub(crate) const BATCH: usize = 1_000;

/// What a claim returns of a job.
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) args: Value,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) run_no: i32,
    pub(crate) timeout_ms: i64,
    /// Its own, if it has one.
    pub(crate) backoff: Option<Json<Backoff>>,
    pub(crate) owner: Option<Uuid>,
    pub(crate) group_id: Option<Uuid>,
    pub(crate) checkpoint: Option<Value>,
    pub(crate) meta: Value,
    pub(crate) traceparent: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    /// Seconds since it was due.
    pub(crate) waited: Option<f64>,
}

/// By position: looking columns up by their names took a tenth of what a job costs its worker.
impl<'r> FromRow<'r, PgRow> for Row {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get(0)?,
            kind: row.try_get(1)?,
            queue: row.try_get(QUEUE)?,
            args: row.try_get(3)?,
            attempt: row.try_get(4)?,
            max_attempts: row.try_get(5)?,
            run_no: row.try_get(6)?,
            timeout_ms: row.try_get(7)?,
            backoff: row.try_get(8)?,
            owner: row.try_get(9)?,
            group_id: row.try_get(10)?,
            checkpoint: row.try_get(11)?,
            meta: row.try_get(12)?,
            traceparent: row.try_get(13)?,
            created_at: row.try_get(14)?,
            waited: row.try_get(15)?,
        })
    }
}

impl Row {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0))
    }

    /// Its own backoff, or that of its kind.
    pub(crate) fn backoff(&self, of_kinds: &HashMap<&'static str, Backoff>) -> Backoff {
        let of_kind = || of_kinds.get(self.kind.as_str()).copied();
        let own = self.backoff.as_ref().map(|own| own.0);
        own.or_else(of_kind).unwrap_or(Backoff::DEFAULT)
    }

    /// The run that this claim begins, and its arguments.
    pub(crate) fn begin(
        self,
        ticket: Arc<Ticket>,
        board: Arc<ProgressBoard>,
        book: Arc<LogBook>,
        notifier: Notifier,
        meter: Arc<Meter>,
    ) -> (Arc<Run>, Value) {
        let run = Run {
            id: JobId(self.id),
            kind: self.kind,
            queue: self.queue,
            attempt: u32::try_from(self.attempt).unwrap_or(1),
            max_attempts: u32::try_from(self.max_attempts).unwrap_or(1),
            run_no: self.run_no,
            owner: self.owner,
            group: self.group_id,
            meta: self.meta,
            checkpoint: self.checkpoint,
            traceparent: self.traceparent,
            created_at: self.created_at,
            ticket,
            board,
            notifier,
            topics: Mutex::new(Arc::from([])),
            book,
            lines: AtomicI32::new(0),
            meter,
        };
        (Arc::new(run), self.args)
    }
}

/// Where the queue's name stands.
const QUEUE: usize = 2;

/// The queue of a claimed row.
pub(crate) fn queue_of(row: &PgRow) -> Result<&str, sqlx::Error> {
    row.try_get(QUEUE)
}

/// Where the walk past the gates of a queue ended.
pub(crate) struct Stop {
    pub(crate) queue: String,
    pub(crate) gate: String,
    /// Seconds until a gate opens by itself.
    pub(crate) opens_in: Option<f64>,
}

/// A claim for several queues.
pub(crate) struct Fetch<'a> {
    pub(crate) wanted: &'a [(String, usize)],
    pub(crate) kinds: &'a [String],
    pub(crate) token: Uuid,
    pub(crate) lease: Duration,
    pub(crate) worker: Uuid,
}

impl Fetch<'_> {
    fn queues(&self) -> Vec<&str> {
        self.wanted
            .iter()
            .map(|(queue, _)| queue.as_str())
            .collect()
    }

    fn limits(&self) -> Vec<i64> {
        self.wanted
            .iter()
            .map(|(_, free)| i64::try_from((*free).min(BATCH)).unwrap_or(0))
            .collect()
    }

    /// The claim. Tuned by measurement: `= any(array(select ... for update skip locked))` keeps an index plan whatever
    /// the batch, where `update ... from (select ... limit $n)` flips to a hash join and a full scan (16.6 k against
    /// 64 k/s). The ready index gives the order; jobs of kinds that nobody here runs are stepped over. By `ctid`, which
    /// spares the search of each job by its id: its row is locked by then and cannot move. One that somebody has just
    /// changed has moved before; it is not seen by this statement, and left for the next.
    pub(crate) async fn plain(&self, conn: &mut PgConnection) -> Result<Vec<PgRow>, sqlx::Error> {
        let statement = mutant::sql(
            Mutant::ClaimUnlocked,
            include_str!("claim.sql"),
            // By `ctid` alone a row that somebody else has just claimed is gone from its place.
            &[("for update skip locked", ""), ("ctid", "id")],
        );
        sqlx::query(statement)
            .bind(self.queues())
            .bind(self.limits())
            .bind(self.kinds)
            .bind(self.token)
            .bind(millis(self.lease))
            .bind(self.worker)
            .fetch_all(conn)
            .await
    }

    /// The claim of what is behind gates; `gates` is where the last one stopped. Beside the jobs, where this one did.
    pub(crate) async fn gated(
        &self,
        conn: &mut PgConnection,
        gates: &HashMap<String, String>,
    ) -> Result<(Vec<PgRow>, Vec<Stop>), sqlx::Error> {
        let queues = self.queues();
        let after: Vec<&str> = queues
            .iter()
            .map(|&queue| gates.get(queue).map_or("", String::as_str))
            .collect();
        // With the nil id, where the walk past the gates of a queue ended.
        let rows = sqlx::query(
            "select c.id, c.kind, c.queue, c.args, c.attempt, c.max_attempts, c.run_no, c.timeout_ms, c.backoff, c.owner,
                    c.group_id, c.checkpoint, c.meta, c.traceparent, c.created_at, c.waited, c.gate,
                    date_part('epoch', c.open_at - clock_timestamp()) as opens_in
               from queue.claim_gated($1, $2, $3, $4, $5, $6, $7) as c",
        )
        .bind(&queues)
        .bind(self.limits())
        .bind(&after)
        .bind(self.kinds)
        .bind(self.token)
        .bind(millis(self.lease))
        .bind(self.worker)
        .fetch_all(conn)
        .await?;
        let mut claimed = Vec::with_capacity(rows.len());
        let mut stops = Vec::new();
        for row in rows {
            if row.try_get::<Uuid, _>(0)?.is_nil() {
                let gate: Option<String> = row.try_get("gate")?;
                stops.push(Stop {
                    queue: row.try_get(QUEUE)?,
                    gate: gate.unwrap_or_default(),
                    opens_in: row.try_get("opens_in")?,
                });
            } else {
                claimed.push(row);
            }
        }
        Ok((claimed, stops))
    }
}
