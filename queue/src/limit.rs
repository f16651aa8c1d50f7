//! How much of something may happen at the same time, or within a time.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use crate::job::millis;

/// What each key of a family allows: the keys of jobs ([`NewJob::limit_key`](crate::NewJob::limit_key)) that begin with
/// the family's name and a colon. An operator may change the numbers; what was changed stays when a worker starts.
///
/// Limits hold over all workers. They are counted when a job is claimed: a run whose lease has ended counts until it
/// is rescued, and a job that waits to be tried again does not.
#[derive(Debug, Clone)]
pub struct Limit {
    pub(crate) name: &'static str,
    max_running: Option<u32>,
    rate: Option<(u32, Duration)>,
}

impl Limit {
    /// The family `name`, whose keys look like `name:42`. Without further words it limits nothing and only makes its
    /// keys take turns.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            max_running: None,
            rate: None,
        }
    }

    /// At most `count` jobs of each key run at the same time.
    #[must_use]
    pub fn at_once(self, count: u32) -> Self {
        Self {
            max_running: Some(count),
            ..self
        }
    }

    /// At most `count` jobs of each key start within any `period`.
    #[must_use]
    pub fn rate(self, count: u32, period: Duration) -> Self {
        Self {
            rate: Some((count.max(1), period.max(Duration::from_millis(1)))),
            ..self
        }
    }

    /// Writes it into the table. What an operator changed stays; what still is as the code once wanted it follows the
    /// code.
    pub(crate) async fn register(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let max = self.max_running.map(count);
        let rate = self.rate.map(|(n, _)| count(n));
        let period = self.rate.map(|(_, period)| millis(period));
        sqlx::query(
            "insert into queue.limit_policy as p (name, max_running, rate, period_ms, defaults) values ($1, $2, $3, $4, $5)
             on conflict (name) do update
                set max_running = excluded.max_running, rate = excluded.rate, period_ms = excluded.period_ms,
                    defaults = excluded.defaults, updated_at = clock_timestamp()
              where p.defaults <> excluded.defaults
                and jsonb_build_object('max_running', p.max_running, 'rate', p.rate, 'period_ms', p.period_ms) = p.defaults",
        )
        .bind(self.name)
        .bind(max)
        .bind(rate)
        .bind(period)
        .bind(json!({"max_running": max, "rate": rate, "period_ms": period}))
        .execute(conn)
        .await?;
        Ok(())
    }
}

fn count(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
