//! The statements that insert jobs: one alone, as most are, or many together.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    Backoff, EnqueueError, NewJob, Wake,
    dependency::Edges,
    job::{Start, millis},
};

/// One job that may run at once, as most may: without the arrays, whose unnesting costs the server as much again as the
/// insert. Limits are looked up only when there is any.
pub(crate) async fn insert_one(
    conn: &mut PgConnection,
    job: &NewJob,
) -> Result<Wake, EnqueueError> {
    let unusable = |reason| EnqueueError::Arguments {
        kind: job.kind.to_string(),
        reason,
    };
    let args = job
        .args
        .as_ref()
        .map_err(|reason| unusable(reason.clone()))?;
    let bare = is_bare(job);
    let mut query = sqlx::query_scalar(if bare { INSERT_BARE } else { INSERT_WHOLE })
        .bind(job.id)
        .bind(&*job.kind)
        .bind(&job.queue)
        .bind(job.priority)
        .bind(args)
        .bind(i32::from(job.max_attempts))
        .bind(i32::from(job.max_crashes))
        .bind(millis(job.timeout));
    if !bare {
        let on_failure = job.on_failure.as_ref().map(|j| j.to_spec()).transpose();
        query = query
            .bind(job.backoff.map(Json))
            .bind(job.owner)
            .bind(&job.limit_key)
            .bind(job.group)
            .bind(job.unique.as_ref().map(|u| &u.key))
            .bind(on_failure.map_err(unusable)?)
            .bind(&job.meta)
            .bind(&job.tags)
            .bind(&job.traceparent);
    }
    let news: String = query.fetch_one(conn).await?;
    Ok(Wake::queues([news]))
}

/// The columns that every job has.
const INSERT_BARE: &str =
    "insert into queue.job (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, timeout_ms, gate)
     values ($1::uuid, $2::text, $3::text, 'available', $4::smallint, clock_timestamp(), $5::jsonb, $6::integer, $7::integer,
             $8::bigint, (select queue.gate_of($2, $3, null, null) from queue.gate_rule limit 1))
     returning queue.news(queue, gate)";

/// Those and the others.
const INSERT_WHOLE: &str =
    "insert into queue.job (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, timeout_ms,
                            backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent, gate)
     select $1::uuid, $2::text, $3::text, 'available', $4::smallint, clock_timestamp(), $5::jsonb, $6::integer, $7::integer,
            $8::bigint, $9::jsonb, $10::uuid, $11::text, $12::uuid, $13::text, $14::jsonb, $15::jsonb, $16::text[], $17::text,
            case when $11 is not null or exists (select from queue.gate_rule) then queue.gate_of($2, $3, $10, $11) end
     returning queue.news(queue, gate)";

/// Whether a job has nothing but what every job has: then half of the columns need not be sent (72 us in the database for
/// a plain INSERT, 81 with all columns, 75 without).
fn is_bare(job: &NewJob) -> bool {
    let NewJob {
        backoff: None,
        owner: None,
        limit_key: None,
        group: None,
        unique: None,
        on_failure: None,
        meta,
        tags,
        traceparent: None,
        ..
    } = job
    else {
        return false;
    };
    tags.is_empty() && meta.as_object().is_some_and(serde_json::Map::is_empty)
}

/// One statement for all rows. Arrays, not COPY: over TCP this driver's COPY of 1,000 rows takes 42 ms.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    edges: &Edges,
) -> Result<Wake, EnqueueError> {
    let mut rows = Rows::default();
    for job in jobs {
        rows.push(job, edges.pending.get(&job.id).copied().unwrap_or(0))
            .map_err(|reason| EnqueueError::Arguments {
                kind: job.kind.to_string(),
                reason,
            })?;
    }
    let woken: Vec<String> = sqlx::query_scalar(include_str!("enqueue.sql"))
        .bind(rows.ids)
        .bind(once(rows.kinds))
        .bind(once(rows.queues))
        .bind(once(rows.priorities))
        .bind(if_any(rows.run_ats))
        .bind(if_any(rows.delays))
        .bind(rows.args)
        .bind(if_any(rows.pending))
        .bind(once(rows.max_attempts))
        .bind(once(rows.max_crashes))
        .bind(once(rows.timeouts))
        .bind(if_any(rows.backoffs))
        .bind(if_any(rows.owners))
        .bind(if_any(rows.limit_keys))
        .bind(if_any(rows.groups))
        .bind(if_any(rows.unique_keys))
        .bind(if_any(rows.on_failures))
        .bind(if_any(rows.metas))
        .bind(if_any(rows.tags))
        .bind(if_any(rows.traceparents))
        .fetch_all(conn)
        .await?;
    Ok(Wake::queues(woken))
}

/// A column without nulls, as one element when that is all there is in it.
fn once<T: PartialEq>(mut column: Vec<T>) -> Vec<T> {
    if column.windows(2).all(|pair| pair[0] == pair[1]) {
        column.truncate(1);
    }
    column
}

/// A column of nulls as nothing.
fn if_any<T>(column: Vec<Option<T>>) -> Vec<Option<T>> {
    if column.iter().any(Option::is_some) {
        column
    } else {
        Vec::new()
    }
}

#[derive(Default)]
struct Rows<'a> {
    ids: Vec<Uuid>,
    kinds: Vec<&'a str>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    run_ats: Vec<Option<DateTime<Utc>>>,
    delays: Vec<Option<i64>>,
    args: Vec<Value>,
    pending: Vec<Option<i32>>,
    max_attempts: Vec<i32>,
    max_crashes: Vec<i32>,
    timeouts: Vec<i64>,
    backoffs: Vec<Option<Json<Backoff>>>,
    owners: Vec<Option<Uuid>>,
    limit_keys: Vec<Option<&'a str>>,
    groups: Vec<Option<Uuid>>,
    unique_keys: Vec<Option<&'a str>>,
    on_failures: Vec<Option<Value>>,
    metas: Vec<Option<&'a Value>>,
    /// As JSON, since an array of arrays has to be rectangular.
    tags: Vec<Option<Value>>,
    traceparents: Vec<Option<&'a str>>,
}

impl<'a> Rows<'a> {
    fn push(&mut self, job: &'a NewJob, pending: i32) -> Result<(), String> {
        let (run_at, delay) = match job.start {
            Start::Now => (None, None),
            Start::At(at) => (Some(at), None),
            Start::After(delay) => (None, Some(millis(delay))),
        };
        self.args.push(job.args.clone()?);
        self.on_failures
            .push(job.on_failure.as_ref().map(|j| j.to_spec()).transpose()?);
        self.backoffs.push(job.backoff.map(Json));
        self.ids.push(job.id.0);
        self.kinds.push(&job.kind);
        self.queues.push(&job.queue);
        self.priorities.push(job.priority);
        self.run_ats.push(run_at);
        self.delays.push(delay);
        self.pending.push((pending > 0).then_some(pending));
        self.max_attempts.push(job.max_attempts.into());
        self.max_crashes.push(job.max_crashes.into());
        self.timeouts.push(millis(job.timeout));
        self.owners.push(job.owner);
        self.limit_keys.push(job.limit_key.as_deref());
        self.groups.push(job.group);
        self.unique_keys
            .push(job.unique.as_ref().map(|u| u.key.as_str()));
        self.metas
            .push(Some(&job.meta).filter(|meta| meta.as_object().is_none_or(|m| !m.is_empty())));
        self.tags
            .push((!job.tags.is_empty()).then(|| job.tags.clone().into()));
        self.traceparents.push(job.traceparent.as_deref());
        Ok(())
    }
}
