//! The statements that claim.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::AtomicI32},
    time::Duration,
};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    Backoff, JobId, Run,
    job::millis,
    log::LogBook,
    mutant::{self, Mutant},
    progress::ProgressBoard,
    ticket::Ticket,
};

/// Jobs per statement.
pub(crate) const BATCH: usize = 500;

/// What a claim returns of a job.
#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) kind: String,
    pub(crate) queue: String,
    pub(crate) args: Value,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) run_no: i32,
    pub(crate) timeout_ms: i64,
    pub(crate) backoff: Json<Backoff>,
    pub(crate) owner: Option<Uuid>,
    pub(crate) group_id: Option<Uuid>,
    pub(crate) checkpoint: Option<Value>,
    pub(crate) meta: Value,
    pub(crate) traceparent: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
}

impl Row {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.timeout_ms).unwrap_or(0))
    }

    /// The run that this claim begins, and its arguments.
    pub(crate) fn begin(
        self,
        ticket: Arc<Ticket>,
        board: Arc<ProgressBoard>,
        book: Arc<LogBook>,
        notifier: Notifier,
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
        };
        (Arc::new(run), self.args)
    }
}

/// A job from behind a gate; or, with the nil id, where the walk past the gates of a queue ended.
#[derive(sqlx::FromRow)]
pub(crate) struct GatedRow {
    #[sqlx(flatten)]
    pub(crate) row: Row,
    pub(crate) gate: Option<String>,
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
    /// 64 k/s). The ready index gives the order; jobs of kinds that nobody here runs are stepped over.
    pub(crate) async fn plain(&self, conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
        let statement = mutant::sql(
            Mutant::ClaimUnlocked,
            include_str!("claim.sql"),
            "for update skip locked",
            "",
        );
        sqlx::query_as(statement)
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
    ) -> Result<(Vec<Row>, Vec<GatedRow>), sqlx::Error> {
        let queues = self.queues();
        let after: Vec<&str> = queues
            .iter()
            .map(|&queue| gates.get(queue).map_or("", String::as_str))
            .collect();
        let rows: Vec<GatedRow> = sqlx::query_as(
            "select *, extract(epoch from open_at - clock_timestamp())::float8 as opens_in
               from queue.claim_gated($1, $2, $3, $4, $5, $6, $7)",
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
        let (stops, claimed): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|row| row.row.id.is_nil());
        Ok((claimed.into_iter().map(|row| row.row).collect(), stops))
    }
}
