//! A database connection of one loop of the engine.
//!
//! Each loop has its own, so that handlers that exhaust the pool cost nobody a lease, and throws it away on any
//! error: whatever state a connection is in after a fault is not worth finding out.

use std::time::Duration;

use rand::RngExt as _;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::{error::Elapsed, sleep};
use tokio_util::sync::CancellationToken;

/// A statement of the engine that takes longer meets a dead connection.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Link {
    options: PgConnectOptions,
    conn: Option<PgConnection>,
    what: &'static str,
    settings: &'static str,
    failures: u32,
}

/// Statements of the engine are short, and none is worth compiling, whatever its estimated cost.
const USUAL: &str = "set jit = off";
/// One plan that goes by the indexes, made once. Planning was half of a claim of few jobs, and a plan that was made while
/// the table was small must not scan it when it is not.
pub(crate) const ONE_PLAN: &str =
    "set jit = off; set plan_cache_mode = force_generic_plan; set enable_seqscan = off;
     set enable_hashjoin = off; set enable_mergejoin = off";

impl Link {
    pub(crate) fn new(options: &PgConnectOptions, what: &'static str) -> Self {
        Self {
            options: options
                .clone()
                .application_name(&format!("millrace-{what}")),
            conn: None,
            what,
            settings: USUAL,
            failures: 0,
        }
    }

    /// Other settings for its session.
    pub(crate) fn with_settings(self, settings: &'static str) -> Self {
        Self { settings, ..self }
    }

    pub(crate) async fn conn(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        if self.conn.is_none() {
            let mut conn = self.options.connect().await?;
            sqlx::raw_sql(self.settings).execute(&mut conn).await?;
            self.conn = Some(conn);
        }
        self.conn.as_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Flattens the answer of a statement under a time limit, and drops the connection unless it went well.
    pub(crate) fn settle<T>(
        &mut self,
        answer: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, sqlx::Error> {
        let answer = answer.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        match &answer {
            Ok(_) => {
                if self.failures > 0 {
                    tracing::info!("{}: the database answers again", self.what);
                }
                self.failures = 0;
            }
            Err(error) => {
                // Once, and then less and less often: a bug of ours would be tried for ever.
                if self.failures == 0 {
                    tracing::warn!(%error, "{}: the database failed; trying again", self.what);
                } else if self.failures.is_multiple_of(30) {
                    tracing::error!(%error, "{}: the database still fails", self.what);
                }
                self.failures = self.failures.saturating_add(1);
                self.conn = None;
            }
        }
        answer
    }

    /// Waits before the next try: 50 ms doubling up to 2 s, half of it random. Returns early on `stop`.
    pub(crate) async fn rest(&self, stop: &CancellationToken) {
        let whole = Duration::from_millis(50 << self.failures.min(6).saturating_sub(1))
            .min(Duration::from_secs(2));
        let pause = whole.mul_f64(rand::rng().random_range(0.5..1.0));
        tokio::select! {
            () = sleep(pause) => {}
            () = stop.cancelled() => {}
        }
    }
}
