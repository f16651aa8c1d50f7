//! Schedules at run time: list, change, switch off, run now.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{CatchUp, JobId, Wake, timetable::Timetable};

/// A schedule as it stands.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct ScheduleRow {
    pub name: String,
    pub kind: String,
    pub queue: String,
    pub args: Value,
    /// Five fields, or six with seconds first.
    pub cron: String,
    pub zone: String,
    pub catch_up: CatchUp,
    pub enabled: bool,
    /// When it comes round next; a worker computes it.
    pub next_at: Option<DateTime<Utc>>,
    /// Its last tick that was fired, and the job of it.
    pub last_at: Option<DateTime<Utc>>,
    pub last_job: Option<JobId>,
    /// Whether an operator changed what the code says.
    pub changed: bool,
}

/// What to change of a schedule; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ScheduleChange {
    pub cron: Option<String>,
    pub zone: Option<String>,
    pub args: Option<Value>,
    pub catch_up: Option<CatchUp>,
    pub enabled: Option<bool>,
}

/// Why a schedule was not changed or run.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// There is none of this name.
    #[error("there is no schedule {0}")]
    Unknown(String),
    /// The pattern or the zone cannot be read.
    #[error("{0}")]
    Timetable(String),
    /// The arguments are no JSON object.
    #[error("the arguments of a schedule must be a JSON object")]
    Arguments,
    /// No worker ever registered its kind.
    #[error("no worker has registered the kind {0}")]
    UnknownKind(String),
    /// The database refused.
    #[error("could not change the schedule")]
    Database(#[from] sqlx::Error),
}

/// All schedules, by name.
///
/// # Errors
/// Those of the statement.
pub async fn schedules(db: impl PgExecutor<'_>) -> Result<Vec<ScheduleRow>, sqlx::Error> {
    sqlx::query_as(
        "select s.name, s.kind, s.queue, s.args, s.cron, s.zone, s.catch_up, s.enabled, s.next_at,
                t.tick_at as last_at, t.job_id as last_job,
                (s.cron, s.zone, s.catch_up, s.args) is distinct from
                    (s.defaults ->> 'cron', s.defaults ->> 'zone', s.defaults ->> 'catch_up', s.defaults -> 'args') as changed
           from queue.schedule s
           left join lateral (select tick_at, job_id from queue.schedule_tick
                               where schedule = s.name order by tick_at desc limit 1) t on true
          order by s.name",
    )
    .fetch_all(db)
    .await
}

/// Changes a schedule, for all workers; the next tick is computed anew when pattern or zone changes. Survives restarts.
///
/// # Errors
/// See [`ScheduleError`]; nothing is changed then.
pub async fn change_schedule(
    conn: &mut PgConnection,
    name: &str,
    change: &ScheduleChange,
) -> Result<(), ScheduleError> {
    let unknown = || ScheduleError::Unknown(name.to_owned());
    let now: Option<(String, String)> =
        sqlx::query_as("select cron, zone from queue.schedule where name = $1 for update")
            .bind(name)
            .fetch_optional(&mut *conn)
            .await?;
    let (cron, zone) = now.ok_or_else(unknown)?;
    let cron = change.cron.as_deref().unwrap_or(&cron);
    let zone = change.zone.as_deref().unwrap_or(&zone);
    Timetable::parse(cron, zone).map_err(ScheduleError::Timetable)?;
    if change.args.as_ref().is_some_and(|args| !args.is_object()) {
        return Err(ScheduleError::Arguments);
    }
    sqlx::query(
        "update queue.schedule
            set cron = $2, zone = $3, args = coalesce($4, args), catch_up = coalesce($5, catch_up),
                enabled = coalesce($6, enabled), updated_at = clock_timestamp()
          where name = $1",
    )
    .bind(name)
    .bind(cron)
    .bind(zone)
    .bind(&change.args)
    .bind(change.catch_up.map(CatchUp::as_str))
    .bind(change.enabled)
    .execute(conn)
    .await?;
    Ok(())
}

/// Enqueues the job of a schedule now, whether or not it is enabled and beside its ticks. While another job of the
/// schedule is to run or running, the answer is that one, unless every tick counts.
///
/// # Errors
/// See [`ScheduleError`].
pub async fn run_schedule(
    conn: &mut PgConnection,
    name: &str,
) -> Result<(JobId, Wake), ScheduleError> {
    let (kind, known): (String, bool) = sqlx::query_as(
        "select s.kind, k.kind is not null from queue.schedule s left join queue.kind k on k.kind = s.kind
          where s.name = $1",
    )
    .bind(name)
    .fetch_optional(&mut *conn)
    .await?
    .ok_or_else(|| ScheduleError::Unknown(name.to_owned()))?;
    if !known {
        return Err(ScheduleError::UnknownKind(kind));
    }
    let (job, queue): (Uuid, String) = sqlx::query_as(
        "select queue.enqueue(s.kind, s.args, jsonb_build_object(
                    'queue', s.queue, 'tags', jsonb_build_array('schedule:' || s.name),
                    'meta', jsonb_build_object('schedule', s.name, 'run_now', true),
                    'unique_key', case when s.catch_up <> 'all' then 'schedule:' || s.name end)), s.queue
           from queue.schedule s where s.name = $1",
    )
    .bind(name)
    .fetch_one(conn)
    .await?;
    let starred = format!("{queue}*");
    Ok((JobId(job), Wake::queues([queue, starred])))
}
