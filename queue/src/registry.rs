//! The kinds that a worker runs, and how.

use std::{collections::HashMap, sync::Arc};

use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{Backoff, Failure, Kind, Limit, Outcome, Run, Schedule, job::millis};

type Handler<C> = Arc<dyn Fn(Value, Arc<Run>, C) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Maps the names of kinds to their handlers. `C` is what handlers get besides the job: services, pools, settings.
pub struct Registry<C> {
    handlers: HashMap<&'static str, Handler<C>>,
    policies: Vec<Policy>,
    schedules: Vec<Schedule>,
    limits: Vec<Limit>,
}

/// What the database should know about a kind.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) kind: &'static str,
    pub(crate) queue: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) priority: i16,
    pub(crate) max_attempts: i32,
    pub(crate) max_crashes: i32,
    pub(crate) max_running: Option<i32>,
    pub(crate) timeout_ms: i64,
    pub(crate) backoff: Backoff,
}

impl Policy {
    async fn announce(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into queue.kind as k (kind, queue, aliases, priority, max_attempts, max_crashes, timeout_ms, backoff,
                                          max_running, limit_default)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
             on conflict (kind) do update
                set max_running = case when k.max_running is not distinct from k.limit_default
                                       then excluded.max_running else k.max_running end,
                    limit_default = excluded.limit_default,
                    gates_as_of = case when k.limit_default is distinct from excluded.limit_default
                                       then pg_current_xact_id() else k.gates_as_of end,
                    queue = excluded.queue, aliases = excluded.aliases, priority = excluded.priority,
                    max_attempts = excluded.max_attempts, max_crashes = excluded.max_crashes,
                    timeout_ms = excluded.timeout_ms, backoff = excluded.backoff, updated_at = now()",
        )
        .bind(self.kind)
        .bind(self.queue)
        .bind(self.aliases)
        .bind(self.priority)
        .bind(self.max_attempts)
        .bind(self.max_crashes)
        .bind(self.timeout_ms)
        .bind(Json(self.backoff))
        .bind(self.max_running)
        .execute(conn)
        .await?;
        Ok(())
    }
}

impl<C> std::fmt::Debug for Registry<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.handlers.keys()).finish()
    }
}

impl<C> Default for Registry<C> {
    fn default() -> Self {
        Self {
            handlers: HashMap::new(),
            policies: Vec::new(),
            schedules: Vec::new(),
            limits: Vec::new(),
        }
    }
}

impl<C: Clone + Send + Sync + 'static> Registry<C> {
    /// A registry without kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind. Arguments that do not decode discard their job with a readable error.
    ///
    /// # Panics
    /// When the name or an alias is registered already: two handlers for one kind are a bug of the program.
    #[must_use]
    pub fn register<K: Kind>(
        self,
        handler: impl Fn(K, Arc<Run>, C) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        self.register_in(K::QUEUE, handler)
    }

    /// Adds a kind whose jobs go to `queue` instead of the kind's own, when they are enqueued by its name.
    ///
    /// # Panics
    /// As [`Registry::register`] does.
    #[must_use]
    pub fn register_in<K: Kind>(
        mut self,
        queue: &'static str,
        handler: impl Fn(K, Arc<Run>, C) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        let handler: Handler<C> = Arc::new(move |args, run, context| match decode::<K>(args) {
            Ok(payload) => handler(payload, run, context),
            Err(error) => {
                let reason = format!(
                    "the arguments of this {} job are unusable: {error}",
                    K::KIND
                );
                Box::pin(std::future::ready(Err(
                    Failure::fail(reason).with_code("undecodable")
                )))
            }
        });
        for &name in std::iter::once(&K::KIND).chain(K::ALIASES) {
            let taken = self.handlers.insert(name, handler.clone()).is_some();
            assert!(!taken, "two kinds are called {name}");
        }
        self.policies.push(Policy {
            kind: K::KIND,
            queue,
            aliases: K::ALIASES,
            priority: K::PRIORITY,
            max_attempts: K::MAX_ATTEMPTS.into(),
            max_crashes: K::MAX_CRASHES.into(),
            max_running: K::MAX_RUNNING.map(|n| i32::try_from(n).unwrap_or(i32::MAX)),
            timeout_ms: millis(K::TIMEOUT),
            backoff: K::BACKOFF,
        });
        self
    }

    /// Adds a schedule, which any worker fires once this one has started.
    ///
    /// # Panics
    /// When there is one of this name already.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        let taken = self.schedules.iter().any(|s| s.name == schedule.name);
        assert!(!taken, "two schedules are called {}", schedule.name);
        self.schedules.push(schedule);
        self
    }

    /// Adds a family of limit keys.
    ///
    /// # Panics
    /// When there is one of this name already.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        let taken = self.limits.iter().any(|l| l.name == limit.name);
        assert!(!taken, "two limits are called {}", limit.name);
        self.limits.push(limit);
        self
    }

    pub(crate) fn dispatch(
        &self,
        args: Value,
        run: Arc<Run>,
        context: C,
    ) -> BoxFuture<'static, Outcome> {
        match self.handlers.get(run.kind.as_str()) {
            Some(handler) => handler(args, run, context),
            // Only registered kinds are claimed.
            None => Box::pin(std::future::ready(Err(Failure::fail(format!(
                "no handler for {}",
                run.kind
            ))
            .with_code("unknown_kind")))),
        }
    }

    /// The names of all kinds, former names included.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.handlers.keys().map(|&name| name.to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// The backoff of each kind, by all its names.
    pub(crate) fn backoffs(&self) -> HashMap<&'static str, Backoff> {
        let names = |policy: &Policy| {
            let backoff = policy.backoff;
            std::iter::once(&policy.kind)
                .chain(policy.aliases)
                .map(move |&name| (name, backoff))
                .collect::<Vec<_>>()
        };
        self.policies.iter().flat_map(names).collect()
    }

    /// Tells the database what is in here: kinds, schedules and limits. What an operator changed stays.
    pub(crate) async fn announce(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        for policy in &self.policies {
            policy.announce(conn).await?;
        }
        for schedule in &self.schedules {
            schedule.register(conn).await?;
        }
        for limit in &self.limits {
            limit.register(conn).await?;
        }
        Ok(())
    }
}

/// The job of its arguments. That of a unit struct has an empty object for them, since [`crate::NewJob`] stores no null.
fn decode<K: DeserializeOwned>(args: Value) -> Result<K, serde_json::Error> {
    let empty = args.as_object().is_some_and(serde_json::Map::is_empty);
    match serde_json::from_value(args) {
        Err(error) if empty => serde_json::from_value(Value::Null).map_err(|_| error),
        answer => answer,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Nothing;

    #[derive(Debug, Deserialize)]
    struct Optional {
        n: Option<u8>,
    }

    #[derive(Debug, Deserialize)]
    struct Needed {
        #[expect(dead_code, reason = "to be missed")]
        n: u8,
    }

    #[test]
    fn a_unit_struct_is_an_empty_object_and_nothing_else_is() {
        assert!(decode::<Nothing>(json!({})).is_ok());
        assert!(decode::<Nothing>(json!({"n": 1})).is_err());
        assert_eq!(decode::<Optional>(json!({})).expect("decoded").n, None);
        let error = decode::<Needed>(json!({})).expect_err("a field is missing");
        assert!(error.to_string().contains("missing field"), "{error}");
    }
}
