//! One run of a job, as its handler sees it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI32, Ordering},
};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use serde_json::Value;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    CancelReason, JobId, log::LogBook, meter::Meter, progress::ProgressBoard, ticket::Ticket,
};

/// What a handler knows of its job and may do as its holder.
#[derive(Debug)]
pub struct Run {
    pub id: JobId,
    pub kind: String,
    pub queue: String,
    /// Counts the runs that are charged, from 1.
    pub attempt: u32,
    pub max_attempts: u32,
    /// Counts all runs and never repeats: put it in paths and keys.
    pub run_no: i32,
    pub owner: Option<Uuid>,
    pub group: Option<Uuid>,
    pub meta: Value,
    /// What an earlier run saved.
    pub checkpoint: Option<Value>,
    /// The W3C trace context of whoever enqueued it.
    pub traceparent: Option<String>,
    pub created_at: DateTime<Utc>,
    pub(crate) ticket: Arc<Ticket>,
    pub(crate) board: Arc<ProgressBoard>,
    pub(crate) notifier: Notifier,
    pub(crate) topics: Mutex<Arc<[String]>>,
    pub(crate) book: Arc<LogBook>,
    pub(crate) lines: AtomicI32,
    pub(crate) meter: Arc<Meter>,
}

/// The lease could not be shown to hold.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another worker may run the job by now.
    #[error("the lease of the job is lost")]
    Lost,
    /// The database could not be asked.
    #[error("could not check the lease")]
    Database(#[from] sqlx::Error),
}

impl Run {
    /// Cancelled when the run should stop: kill children, drop files, return. The answer is then of little matter.
    pub fn cancelled(&self) -> CancellationToken {
        self.ticket.stop_token().clone()
    }

    /// Why the run should stop, once it should.
    pub fn cancel_reason(&self) -> Option<CancelReason> {
        self.ticket.why()
    }

    /// The token of this claim. Rows that a run writes may carry it.
    pub fn token(&self) -> Uuid {
        self.ticket.token
    }

    /// The process's notifier, to fire hints and wakes of transactions other than [`Run::complete`]'s.
    pub fn notifier(&self) -> &Notifier {
        &self.notifier
    }

    /// Topics to touch whenever progress has been written.
    pub fn show_progress_on(&self, topics: impl IntoIterator<Item = String>) {
        *self.topics.lock().unwrap_or_else(PoisonError::into_inner) = topics.into_iter().collect();
    }

    /// Reports progress, 0 to 100. Cheap: reports are coalesced, and the latest one is written within 250 ms.
    /// Within a run the percentage never falls.
    pub fn progress(&self, percent: f32, stage: &str) {
        let topics = self
            .topics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.board
            .report(self.id, self.run_no, self.group, percent, stage, topics);
    }

    /// Writes a line for people who look at the job. Cheap: lines are collected and written within 250 ms, at most
    /// 1,000 of a run and 4 KiB of each.
    pub fn log(&self, line: impl AsRef<str>) {
        let n = self.lines.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        self.book.write(self.id, self.run_no, n, line.as_ref());
        self.board.ring();
    }

    /// Proves the lease and holds it until the end of the transaction: call it first in every transaction whose
    /// writes only the holder may make. Keep that transaction short.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when another worker may run the job by now.
    pub async fn fence(&self, conn: &mut PgConnection) -> Result<(), LeaseError> {
        let held: Option<i32> =
            sqlx::query_scalar("select 1 from queue.job where id = $1 and token = $2 for update")
                .bind(self.id)
                .bind(self.ticket.token)
                .fetch_optional(conn)
                .await?;
        self.held(held.is_some())
    }

    /// Saves what the next run finds in [`Run::checkpoint`], should this one not come to its end.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when another worker may run the job by now.
    pub async fn save_checkpoint(
        &self,
        conn: &mut PgConnection,
        checkpoint: Value,
    ) -> Result<(), LeaseError> {
        let saved =
            sqlx::query("update queue.job set checkpoint = $3 where id = $1 and token = $2")
                .bind(self.id)
                .bind(self.ticket.token)
                .bind(checkpoint)
                .execute(conn)
                .await?;
        self.held(saved.rows_affected() == 1)
    }

    /// Says that this run has got the job further: call it in a transaction that makes it so. What failed before is
    /// forgiven, so a job that advances with every run is never given up, however often its workers die; only runs in
    /// a row that change nothing count. Cheap after the first time.
    ///
    /// # Errors
    /// [`LeaseError::Lost`] when another worker may run the job by now.
    pub async fn advance(&self, conn: &mut PgConnection) -> Result<(), LeaseError> {
        if self.ticket.has_advanced() {
            return Ok(());
        }
        let done = sqlx::query(
            "update queue.job set attempt = 1, crash_count = 0 where id = $1 and token = $2",
        )
        .bind(self.id)
        .bind(self.ticket.token)
        .execute(conn)
        .await?;
        self.held(done.rows_affected() == 1)?;
        // Should the transaction be undone, the row still counts, and the next run is judged by it.
        self.ticket.set_advanced();
        Ok(())
    }

    /// Whether this run has got the job further.
    pub fn has_advanced(&self) -> bool {
        self.ticket.has_advanced()
    }

    /// The attempts that count against the job if this run fails, itself included.
    pub(crate) fn charged(&self) -> u32 {
        if self.has_advanced() { 1 } else { self.attempt }
    }

    fn held(&self, held: bool) -> Result<(), LeaseError> {
        if held {
            Ok(())
        } else {
            self.ticket.cancel(CancelReason::LeaseLost);
            Err(LeaseError::Lost)
        }
    }
}
