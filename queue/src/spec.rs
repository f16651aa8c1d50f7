//! Jobs of kinds that this program does not know: from JSON, for command lines, imports and other languages.

use std::{collections::HashMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Backoff, JobId, NewJob, UniqueKey};

/// A job as JSON has it. The policy is that of its kind, which some worker must have registered, but for what the options
/// say; they are those of `queue.enqueue` in SQL, without `wake`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    pub kind: String,
    #[serde(default = "empty")]
    pub args: Value,
    #[serde(default)]
    pub options: JobOptions,
}

/// What a [`JobSpec`] says besides kind and arguments.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobOptions {
    pub queue: Option<String>,
    /// Smaller runs first.
    pub priority: Option<i16>,
    pub run_at: Option<DateTime<Utc>>,
    pub delay_ms: Option<u64>,
    pub max_attempts: Option<u16>,
    pub max_crashes: Option<u16>,
    pub timeout_ms: Option<u64>,
    pub backoff: Option<Backoff>,
    pub owner: Option<Uuid>,
    pub limit_key: Option<String>,
    pub group_id: Option<Uuid>,
    pub unique_key: Option<String>,
    pub unique_ttl_ms: Option<u64>,
    pub unique_mode: UniqueMode,
    /// With `debounce`: how long the holder can be put off.
    pub unique_most_ms: Option<u64>,
    pub tags: Vec<String>,
    pub meta: Option<Map<String, Value>>,
    pub traceparent: Option<String>,
    /// Jobs that must complete first.
    pub after: Vec<JobId>,
    /// Jobs that must end first.
    pub after_any: Vec<JobId>,
}

/// What becomes of a job whose unique key is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UniqueMode {
    #[default]
    Keep,
    Replace,
    Debounce,
}

/// No worker has registered a kind of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no worker has registered the kind {0}")]
pub struct UnknownKind(pub String);

/// The policy of a registered kind.
#[derive(sqlx::FromRow)]
struct Known {
    kind: String,
    queue: String,
    priority: i16,
    max_attempts: i32,
    max_crashes: i32,
    timeout_ms: i64,
}

fn empty() -> Value {
    Value::Object(Map::new())
}

/// The jobs that `specs` describe, one each and in their order, with the policies of their kinds.
///
/// # Errors
/// Those of the statement; and for a job whose kind nobody has registered, an error in its place.
pub async fn jobs_of(
    conn: &mut PgConnection,
    specs: Vec<JobSpec>,
) -> Result<Vec<Result<NewJob, UnknownKind>>, sqlx::Error> {
    // A name that cannot be stored is one that nobody has registered.
    let mut kinds: Vec<&str> = specs.iter().map(|spec| spec.kind.as_str()).collect();
    kinds.retain(|kind| !kind.contains('\0'));
    kinds.sort_unstable();
    kinds.dedup();
    let known: Vec<Known> = sqlx::query_as(
        "select kind, queue, priority, max_attempts, max_crashes, timeout_ms from queue.kind
          where kind = any($1)",
    )
    .bind(&kinds)
    .fetch_all(conn)
    .await?;
    let known: HashMap<String, Known> = known
        .into_iter()
        .map(|known| (known.kind.clone(), known))
        .collect();
    let job = |spec: JobSpec| match known.get(&spec.kind) {
        Some(known) => Ok(known.job(spec)),
        None => Err(UnknownKind(spec.kind)),
    };
    Ok(specs.into_iter().map(job).collect())
}

impl Known {
    fn job(&self, spec: JobSpec) -> NewJob {
        let JobSpec {
            kind,
            args,
            options,
        } = spec;
        let count = |said: Option<u16>, usual: i32| {
            said.unwrap_or_else(|| u16::try_from(usual).unwrap_or(u16::MAX))
        };
        let mut job = NewJob::of(
            kind,
            options.queue.unwrap_or_else(|| self.queue.clone()),
            args,
        )
        .priority(options.priority.unwrap_or(self.priority))
        .max_attempts(count(options.max_attempts, self.max_attempts))
        .max_crashes(count(options.max_crashes, self.max_crashes))
        .timeout(Duration::from_millis(
            options.timeout_ms.unwrap_or(self.timeout_ms.unsigned_abs()),
        ))
        .after(&options.after)
        .after_any_outcome(&options.after_any);
        if let Some(backoff) = options.backoff {
            job = job.backoff(backoff);
        }
        job = match (options.run_at, options.delay_ms) {
            (Some(at), _) => job.run_at(at),
            (None, Some(ms)) => job.delay(Duration::from_millis(ms)),
            (None, None) => job,
        };
        job.owner = options.owner;
        job.limit_key = options.limit_key;
        job.group = options.group_id;
        job.tags = options.tags;
        job.traceparent = options.traceparent;
        job.meta = Value::Object(options.meta.unwrap_or_default());
        if let Some(key) = options.unique_key {
            let key = match options.unique_ttl_ms {
                Some(ms) => UniqueKey::for_period(key, Duration::from_millis(ms)),
                None => UniqueKey::until_done(key),
            };
            job = job.unique(match options.unique_mode {
                UniqueMode::Keep => key,
                UniqueMode::Replace => key.replacing(),
                UniqueMode::Debounce => {
                    let most = options
                        .unique_most_ms
                        .map_or(Duration::MAX, Duration::from_millis);
                    key.debouncing(most)
                }
            });
        }
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_an_option_is_refused() {
        for (text, said) in [
            (r#"{"kind": "mail", "arg": {}}"#, "unknown field `arg`"),
            (
                r#"{"kind": "mail", "options": {"delay": 1}}"#,
                "unknown field `delay`",
            ),
            (r#"{"args": {}}"#, "missing field `kind`"),
            (
                r#"{"kind": "mail", "options": {"unique_mode": "first"}}"#,
                "unknown variant",
            ),
        ] {
            let error = serde_json::from_str::<JobSpec>(text).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
        let spec: JobSpec = serde_json::from_str(r#"{"kind": "mail"}"#).expect("a job");
        assert_eq!(spec.args, serde_json::json!({}));
    }
}
