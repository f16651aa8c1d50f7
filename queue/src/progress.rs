//! Progress of running jobs: coalesced in the process, latest wins, written in one batch four times a second.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use sqlx::{PgExecutor, PgPool};
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{JobId, log::LogBook};

const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// The last progress of a job, as others see it. Order by `(run_no, n)` and keep the maximum.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Progress {
    pub job_id: Uuid,
    pub group_id: Option<Uuid>,
    pub run_no: i32,
    /// Counts the reports of one run.
    pub n: i64,
    /// 0 to 100, never falling within a run.
    pub percent: f32,
    pub stage: String,
    pub updated_at: DateTime<Utc>,
}

impl Progress {
    /// The progress of the live jobs of `group`.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_group(db: impl PgExecutor<'_>, group: Uuid) -> Result<Vec<Self>, sqlx::Error> {
        sqlx::query_as("select * from queue.progress where group_id = $1 order by job_id")
            .bind(group)
            .fetch_all(db)
            .await
    }

    /// The progress of one job, if it ever reported any and has not ended long ago.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of_job(db: impl PgExecutor<'_>, job: JobId) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as("select * from queue.progress where job_id = $1")
            .bind(job)
            .fetch_optional(db)
            .await
    }
}

/// What the runs of this process have reported and others do not know yet.
#[derive(Debug, Default)]
pub(crate) struct ProgressBoard {
    lines: Mutex<HashMap<JobId, Line>>,
    bell: Notify,
}

#[derive(Debug, Clone)]
struct Line {
    run_no: i32,
    group: Option<Uuid>,
    n: i64,
    percent: f32,
    stage: String,
    topics: Arc<[String]>,
    dirty: bool,
    ended: bool,
}

impl ProgressBoard {
    pub(crate) fn report(
        &self,
        job: JobId,
        run_no: i32,
        group: Option<Uuid>,
        percent: f32,
        stage: &str,
        topics: Arc<[String]>,
    ) {
        let percent = if percent.is_finite() {
            percent.clamp(0.0, 100.0)
        } else {
            0.0
        };
        let mut lines = self.lock();
        let line = lines.entry(job).or_insert_with(|| Line {
            run_no,
            group,
            n: 0,
            percent: 0.0,
            stage: String::new(),
            topics: topics.clone(),
            dirty: false,
            ended: false,
        });
        if line.run_no < run_no {
            (line.run_no, line.n, line.percent) = (run_no, 0, 0.0);
        }
        // A step that nobody would see is not worth a write: less than 1 % within a stage.
        let first = line.n == 0;
        let percent = percent.max(line.percent);
        if !first && line.stage == stage && percent - line.percent < 1.0 && percent < 100.0 {
            return;
        }
        line.n += 1;
        line.percent = percent;
        stage.clone_into(&mut line.stage);
        line.topics = topics;
        line.dirty = true;
        line.ended = false;
        drop(lines);
        self.bell.notify_one();
    }

    /// There is something to write besides progress.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
    }

    /// Forgets the line of a run, after its last report has been written.
    pub(crate) fn end(&self, job: JobId) {
        let mut lines = self.lock();
        if let Some(line) = lines.get_mut(&job) {
            if line.dirty {
                line.ended = true;
            } else {
                lines.remove(&job);
            }
        }
    }

    /// Writes reports until `stop`, and once more then.
    pub(crate) async fn flush_until(
        &self,
        book: &LogBook,
        pool: &PgPool,
        notifier: &Notifier,
        stop: CancellationToken,
    ) {
        loop {
            tokio::select! {
                () = self.bell.notified() => {}
                () = stop.cancelled() => break,
            }
            self.flush(pool, notifier).await;
            book.flush(pool).await;
            tokio::select! {
                () = sleep(FLUSH_EVERY) => {}
                () = stop.cancelled() => break,
            }
        }
        self.flush(pool, notifier).await;
        book.flush(pool).await;
    }

    /// Writes the reports that others do not know yet.
    pub(crate) async fn flush(&self, pool: &PgPool, notifier: &Notifier) {
        let mut batch: Vec<(JobId, Line)> = Vec::new();
        self.lock().retain(|&job, line| {
            if line.dirty {
                line.dirty = false;
                batch.push((job, line.clone()));
            }
            !line.ended
        });
        if batch.is_empty() {
            return;
        }
        batch.sort_unstable_by_key(|(job, _)| *job);
        // Lost progress is replaced by the next report; there is nothing to retry.
        if let Err(error) = write(pool, &batch).await {
            tracing::warn!(%error, "could not write the progress of {} jobs", batch.len());
            return;
        }
        let topics = batch
            .iter()
            .flat_map(|(_, line)| line.topics.iter().cloned());
        millrace_bus::touch(topics).fire(notifier);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<JobId, Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(pool: &PgPool, batch: &[(JobId, Line)]) -> Result<(), sqlx::Error> {
    let jobs: Vec<Uuid> = batch.iter().map(|b| b.0.0).collect();
    let groups: Vec<Option<Uuid>> = batch.iter().map(|b| b.1.group).collect();
    let runs: Vec<i32> = batch.iter().map(|b| b.1.run_no).collect();
    let numbers: Vec<i64> = batch.iter().map(|b| b.1.n).collect();
    let percents: Vec<f32> = batch.iter().map(|b| b.1.percent).collect();
    let stages: Vec<&str> = batch.iter().map(|b| b.1.stage.as_str()).collect();
    sqlx::query(
        "insert into queue.progress as p (job_id, group_id, run_no, n, percent, stage)
         select * from unnest($1::uuid[], $2::uuid[], $3::int[], $4::bigint[], $5::real[], $6::text[])
         on conflict (job_id) do update
            set run_no = excluded.run_no, n = excluded.n, percent = excluded.percent, stage = excluded.stage,
                updated_at = clock_timestamp()
          where (p.run_no, p.n) < (excluded.run_no, excluded.n)",
    )
    .bind(&jobs)
    .bind(&groups)
    .bind(&runs)
    .bind(&numbers)
    .bind(&percents)
    .bind(&stages)
    .execute(pool)
    .await?;
    Ok(())
}
