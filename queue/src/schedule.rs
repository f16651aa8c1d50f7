//! Schedules: jobs that come round by the clock. The code names them with their defaults; the table holds what counts.

use serde_json::{Map, Value, json};
use sqlx::PgConnection;

use crate::{Kind, timetable::Timetable};

/// What becomes of ticks that nobody was there to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum CatchUp {
    /// Nothing: the next tick comes soon enough.
    None,
    /// One job, for the latest of them.
    #[default]
    Last,
    /// A job each. Only here may several jobs of one schedule be live at once.
    All,
}

impl CatchUp {
    /// The word of the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

/// A job that comes round by the clock, as the code wants it. An operator may change pattern, zone, arguments and
/// policy in the table, or disable it; what was changed there stays when a worker starts.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(crate) name: &'static str,
    kind: &'static str,
    queue: &'static str,
    args: Value,
    cron: &'static str,
    zone: &'static str,
    catch_up: CatchUp,
}

impl Schedule {
    /// `job` by the pattern `cron`: five fields, or six with seconds first, in UTC. Missed ticks become one.
    ///
    /// # Panics
    /// When the pattern cannot be read, or the payload is no JSON object: bugs of the program.
    pub fn new<K: Kind>(name: &'static str, cron: &'static str, job: &K) -> Self {
        let args = match serde_json::to_value(job) {
            Ok(Value::Null) => Value::Object(Map::new()),
            Ok(args @ Value::Object(_)) => args,
            other => panic!("the payload of the schedule {name} is no object: {other:?}"),
        };
        let schedule = Self {
            name,
            kind: K::KIND,
            queue: K::QUEUE,
            args,
            cron,
            zone: "UTC",
            catch_up: CatchUp::Last,
        };
        schedule.checked()
    }

    /// By the clocks of this zone, such as `Asia/Taipei`.
    ///
    /// # Panics
    /// When there is no such zone.
    #[must_use]
    pub fn zone(self, zone: &'static str) -> Self {
        Self { zone, ..self }.checked()
    }

    /// What becomes of missed ticks.
    #[must_use]
    pub fn catch_up(self, catch_up: CatchUp) -> Self {
        Self { catch_up, ..self }
    }

    fn checked(self) -> Self {
        if let Err(problem) = Timetable::parse(self.cron, self.zone) {
            panic!("the schedule {}: {problem}", self.name);
        }
        self
    }

    /// Writes it into the table. What an operator changed stays; what still is as the code once wanted it follows
    /// the code.
    pub(crate) async fn register(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        let word = self.catch_up.as_str();
        let defaults =
            json!({"cron": self.cron, "zone": self.zone, "args": self.args, "catch_up": word});
        sqlx::query(
            "insert into queue.schedule as s (name, kind, queue, args, cron, zone, catch_up, defaults)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (name) do update
                set kind = excluded.kind, queue = excluded.queue,
                    args = case when s.args = s.defaults -> 'args' then excluded.args else s.args end,
                    cron = case when s.cron = s.defaults ->> 'cron' then excluded.cron else s.cron end,
                    zone = case when s.zone = s.defaults ->> 'zone' then excluded.zone else s.zone end,
                    catch_up = case when s.catch_up = s.defaults ->> 'catch_up' then excluded.catch_up else s.catch_up end,
                    defaults = excluded.defaults, updated_at = clock_timestamp()
              where (s.kind, s.queue, s.defaults) is distinct from (excluded.kind, excluded.queue, excluded.defaults)",
        )
        .bind(self.name)
        .bind(self.kind)
        .bind(self.queue)
        .bind(&self.args)
        .bind(self.cron)
        .bind(self.zone)
        .bind(word)
        .bind(defaults)
        .execute(conn)
        .await?;
        Ok(())
    }
}
