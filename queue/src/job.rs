//! A job that is not enqueued yet.

use std::{borrow::Cow, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{Backoff, JobId, Kind, Scope, State, UniqueKey, meter::OTHER};

/// A job to be inserted by [`enqueue`](crate::enqueue), with the policy of its kind until a method says otherwise.
#[derive(Debug, Clone)]
pub struct NewJob {
    pub(crate) id: JobId,
    pub(crate) kind: Cow<'static, str>,
    /// The queue of its kind.
    pub(crate) home: &'static str,
    pub(crate) queue: String,
    /// An error is kept until the insert, where there is somebody to tell.
    pub(crate) args: Result<Value, String>,
    pub(crate) priority: i16,
    pub(crate) start: Start,
    pub(crate) max_attempts: u16,
    pub(crate) max_crashes: u16,
    pub(crate) timeout: Duration,
    /// Its own; without one it has its kind's.
    pub(crate) backoff: Option<Backoff>,
    pub(crate) owner: Option<Uuid>,
    pub(crate) limit_key: Option<String>,
    pub(crate) group: Option<Uuid>,
    pub(crate) unique: Option<UniqueKey>,
    pub(crate) parents: Vec<Parent>,
    pub(crate) on_failure: Option<Box<NewJob>>,
    pub(crate) traceparent: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) meta: Value,
}

/// When a job may run. Delays are counted by the database's clock, like everything else.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    Now,
    At(DateTime<Utc>),
    After(Duration),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Parent {
    pub(crate) id: JobId,
    /// Run whatever its outcome.
    pub(crate) ignore: bool,
}

/// What an `on_failure` job finds in the field `_failure` of its arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureNote {
    /// How the failed job ended: discarded, cancelled or quarantined.
    pub state: State,
    /// A stable word, such as `crashed` or `parent_failed`, or the handler's own.
    pub code: Option<String>,
    /// The same for people.
    pub reason: Option<String>,
    pub job_id: JobId,
    pub kind: String,
}

impl NewJob {
    /// A job of `kind`, to run as soon as a worker is free.
    pub fn new<K: Kind>(kind: &K) -> Self {
        let args = match serde_json::to_value(kind) {
            Ok(Value::Null) => Ok(Value::Object(Map::new())), // a unit struct
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err("the payload is not a JSON object".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        Self {
            home: K::QUEUE,
            args,
            priority: K::PRIORITY,
            max_attempts: K::MAX_ATTEMPTS,
            max_crashes: K::MAX_CRASHES,
            timeout: K::TIMEOUT,
            ..Self::of(K::KIND, K::QUEUE.to_owned(), Value::Null)
        }
    }

    /// A job of a kind that is known by its name. Its policy is for the caller to say.
    pub(crate) fn of(kind: impl Into<Cow<'static, str>>, queue: String, args: Value) -> Self {
        Self {
            id: JobId::new(),
            kind: kind.into(),
            home: OTHER,
            queue,
            args: Ok(args),
            priority: 0,
            start: Start::Now,
            max_attempts: 1,
            max_crashes: 1,
            timeout: Duration::ZERO,
            backoff: None,
            owner: None,
            limit_key: None,
            group: None,
            unique: None,
            parents: Vec::new(),
            on_failure: None,
            traceparent: None,
            tags: Vec::new(),
            meta: Value::Object(Map::new()),
        }
    }

    /// The id the job will have, for `after` and for rows that point to it.
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Sets the id.
    #[must_use]
    pub fn with_id(mut self, id: JobId) -> Self {
        self.id = id;
        self
    }

    /// Another queue than the kind's.
    #[must_use]
    pub fn queue(mut self, queue: impl Into<String>) -> Self {
        self.queue = queue.into();
        self
    }

    /// Smaller runs first.
    #[must_use]
    pub fn priority(mut self, priority: i16) -> Self {
        self.priority = priority;
        self
    }

    /// Not before `at`.
    #[must_use]
    pub fn run_at(mut self, at: DateTime<Utc>) -> Self {
        self.start = Start::At(at);
        self
    }

    /// Not before `delay` from the insert.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.start = Start::After(delay);
        self
    }

    /// The user for whom it runs.
    #[must_use]
    pub fn owner(mut self, owner: Uuid) -> Self {
        self.owner = Some(owner);
        self
    }

    /// Jobs with the same key share a limit: what the [`Limit`](crate::Limit) allows that is named by what precedes the
    /// first colon, or one at a time where there is none.
    #[must_use]
    pub fn limit_key(mut self, key: impl Into<String>) -> Self {
        self.limit_key = Some(key.into());
        self
    }

    /// Jobs that are watched and cancelled together.
    #[must_use]
    pub fn group(mut self, group: Uuid) -> Self {
        self.group = Some(group);
        self
    }

    /// Not enqueued while another job holds the key; the answer then names that job.
    #[must_use]
    pub fn unique(mut self, key: UniqueKey) -> Self {
        self.unique = Some(key);
        self
    }

    /// Not enqueued while another job that is the same within `scope` is to run or running. Say this last.
    #[must_use]
    pub fn unique_within(self, scope: &Scope) -> Self {
        let key = scope.key_of(&self);
        self.unique(UniqueKey::until_done(key))
    }

    /// Runs when all of `parents` have completed, and is cancelled when one ends unhappily.
    #[must_use]
    pub fn after(mut self, parents: &[JobId]) -> Self {
        self.parents
            .extend(parents.iter().map(|&id| Parent { id, ignore: false }));
        self
    }

    /// Runs when all of `parents` have ended, however they ended.
    #[must_use]
    pub fn after_any_outcome(mut self, parents: &[JobId]) -> Self {
        self.parents
            .extend(parents.iter().map(|&id| Parent { id, ignore: true }));
        self
    }

    /// Runs each of `jobs` after the one before it has completed.
    #[must_use]
    pub fn chain(jobs: impl IntoIterator<Item = NewJob>) -> Vec<NewJob> {
        let mut last = None;
        let after = |job: NewJob| {
            let after: Vec<JobId> = last.replace(job.id).into_iter().collect();
            job.after(&after)
        };
        jobs.into_iter().map(after).collect()
    }

    /// Runs when all of `jobs` have ended, however they ended: the callback of a group. More jobs may be added to what
    /// it waits for, while it waits, by [`wait_also`](crate::wait_also).
    #[must_use]
    pub fn when_ended<'a>(self, jobs: impl IntoIterator<Item = &'a NewJob>) -> Self {
        let ids: Vec<JobId> = jobs.into_iter().map(|job| job.id).collect();
        self.after_any_outcome(&ids)
    }

    /// Inserted when this job ends unhappily (discarded, cancelled, quarantined), in the transaction that ends it and
    /// whoever ends it. It gets a new id then, and a [`FailureNote`] in the field `_failure` of its arguments.
    /// Its own parents are ignored.
    #[must_use]
    pub fn on_failure(mut self, job: NewJob) -> Self {
        self.on_failure = Some(Box::new(job));
        self
    }

    /// How many runs may fail.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u16) -> Self {
        self.max_attempts = attempts.max(1);
        self
    }

    /// How many runs may end with their worker.
    #[must_use]
    pub fn max_crashes(mut self, crashes: u16) -> Self {
        self.max_crashes = crashes.max(1);
        self
    }

    /// How long one run may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long it waits after a failed run, instead of what its kind says.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = Some(backoff);
        self
    }

    /// The W3C trace context of whoever enqueues. With the feature `opentelemetry` it need not be said: the current one
    /// is taken.
    #[must_use]
    pub fn traceparent(mut self, traceparent: impl Into<String>) -> Self {
        self.traceparent = Some(traceparent.into());
        self
    }

    /// A word to search for.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Anything for the eyes of handlers and dashboards; the engine does not read it.
    #[must_use]
    pub fn meta(mut self, meta: Value) -> Self {
        self.meta = meta;
        self
    }

    /// Its kind as metrics name it: one that came by name could be any text.
    pub(crate) fn kind_label(&self) -> &'static str {
        match self.kind {
            Cow::Borrowed(kind) => kind,
            Cow::Owned(_) => OTHER,
        }
    }

    /// Its queue as metrics name it: any other than the kind's own could be one of many.
    pub(crate) fn queue_label(&self) -> &'static str {
        if self.queue == self.home {
            self.home
        } else {
            OTHER
        }
    }

    /// The form in which SQL inserts it later.
    pub(crate) fn to_spec(&self) -> Result<Value, String> {
        let on_failure = match &self.on_failure {
            Some(job) => job.to_spec()?,
            None => Value::Null,
        };
        let (run_at, delay) = match self.start {
            Start::Now => (None, None),
            Start::At(at) => (Some(at), None),
            Start::After(delay) => (None, Some(millis(delay))),
        };
        let mut spec = json!({
            "kind": self.kind, "queue": self.queue, "args": self.args.clone()?, "priority": self.priority,
            "run_at": run_at, "delay_ms": delay, "max_attempts": self.max_attempts, "max_crashes": self.max_crashes,
            "timeout_ms": millis(self.timeout), "owner": self.owner,
            "limit_key": self.limit_key, "group_id": self.group,
            "unique_key": self.unique.as_ref().map(|u| &u.key),
            "unique_ttl_ms": self.unique.as_ref().and_then(|u| u.ttl).map(millis),
            "on_failure": on_failure, "traceparent": self.traceparent, "tags": self.tags, "meta": self.meta,
        });
        // Left out where there is none: the JSON null is not the NULL of a column.
        if let Some(backoff) = self.backoff {
            spec["backoff"] = json!(backoff);
        }
        Ok(spec)
    }
}

/// Milliseconds as the database has them.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
