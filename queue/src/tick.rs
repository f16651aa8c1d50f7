//! Fires schedules. Every worker does it, and a tick is fired once: who moves `next_at` on enqueues the job, in one
//! transaction, and the tick's own row is unique besides.
//!
//! All clocks are the database's. One that was set back finds `next_at` too far ahead and computes it anew; ticks that
//! come round again then are in the table already.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use millrace_bus::Notifier;
use sqlx::PgConnection;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    CatchUp,
    link::{Link, PATIENCE},
    slots::Slots,
    timetable::{Due, Timetable},
    wake::WORK,
};

pub(crate) struct Ticker {
    pub(crate) link: Link,
    /// The longest time between two looks: schedules that somebody changed, clocks that somebody set.
    pub(crate) every: Duration,
    pub(crate) slots: Arc<Slots>,
    pub(crate) notifier: Notifier,
    /// Schedules that cannot be read and were complained of.
    pub(crate) refused: HashSet<String>,
}

/// A schedule, as it stood at `now`.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) cron: String,
    pub(crate) zone: String,
    catch_up: CatchUp,
    enabled: bool,
    pub(crate) next_at: Option<DateTime<Utc>>,
    computed_for: Option<String>,
    pub(crate) now: DateTime<Utc>,
}

/// What a look at one schedule asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing until then.
    Wait(Option<DateTime<Utc>>),
    /// It is new, was changed, or a clock was set back.
    Place(Option<DateTime<Utc>>),
    Fire(DateTime<Utc>, Due),
}

impl Ticker {
    /// Fires what is due until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let Ok(pause) = self.look().await else {
                self.link.rest(&stop).await;
                continue;
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Looks at all schedules once; says when to look again.
    async fn look(&mut self) -> Result<Duration, sqlx::Error> {
        let answer = timeout(PATIENCE, async { rows(self.link.conn().await?).await }).await;
        let mut pause = self.every;
        for row in self.link.settle(answer)? {
            let table = match Timetable::parse(&row.cron, &row.zone) {
                Ok(table) => table,
                Err(problem) => {
                    if self.refused.insert(format!("{} {problem}", row.name)) {
                        tracing::error!("the schedule {} cannot be read: {problem}", row.name);
                    }
                    continue;
                }
            };
            let next = match step(&row, &table) {
                Step::Wait(next) => next,
                Step::Place(next) => {
                    self.within(async |conn| place(conn, &row, next).await)
                        .await?;
                    next
                }
                Step::Fire(was, due) => {
                    let fired = self
                        .within(async |conn| fire(conn, &row, was, &due).await)
                        .await?;
                    self.tell(&row, fired);
                    due.next
                }
            };
            if let Some(next) = next {
                // A moment more, or rounding makes us look just too early.
                let wait = (next - row.now).to_std().unwrap_or_default();
                pause = pause.min(wait + Duration::from_millis(5));
            }
        }
        Ok(pause)
    }

    async fn within<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let answer = timeout(PATIENCE, async { work(self.link.conn().await?).await }).await;
        self.link.settle(answer)
    }

    fn tell(&self, row: &Row, fired: Option<(i32, String)>) {
        // Another worker was faster.
        let Some((jobs, queue)) = fired else { return };
        if jobs < 0 {
            tracing::error!(
                "the schedule {} enqueues {queue}, which no worker knows",
                row.name
            );
            return;
        }
        metrics::counter!("queue_schedule_fired_total", "schedule" => row.name.clone())
            .increment(jobs.unsigned_abs().into());
        if jobs > 0 {
            tracing::info!("the schedule {} came round: {jobs} new jobs", row.name);
            if !self.slots.has_room(&queue) {
                self.notifier.notify(WORK, &queue);
            }
            self.slots.wake(&queue);
        } else {
            tracing::debug!(
                "the schedule {} came round; its last job is not done",
                row.name
            );
        }
    }
}

/// The schedules that may come round, or have to be put to rest.
pub(crate) async fn rows(conn: &mut PgConnection) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "select name, cron, zone, catch_up, enabled, next_at, computed_for, clock_timestamp() as now
           from queue.schedule where enabled or next_at is not null order by name",
    )
    .fetch_all(conn)
    .await
}

pub(crate) fn step(row: &Row, table: &Timetable) -> Step {
    if !row.enabled {
        // Whoever enables it again does not want what it missed.
        return Step::Place(None);
    }
    let upcoming = table.after(row.now);
    let Some(next_at) = row
        .next_at
        .filter(|_| row.computed_for == Some(made_of(row)))
    else {
        return match upcoming {
            // It never comes round; that is known already.
            None if row.computed_for == Some(made_of(row)) => Step::Wait(None),
            upcoming => Step::Place(upcoming),
        };
    };
    if next_at <= row.now {
        return Step::Fire(next_at, table.due(row.catch_up, next_at, row.now));
    }
    if upcoming.is_some_and(|upcoming| next_at > upcoming) {
        return Step::Place(upcoming);
    }
    Step::Wait(Some(next_at))
}

fn made_of(row: &Row) -> String {
    format!("{} {}", row.cron, row.zone)
}

/// Notes when a schedule comes round next.
pub(crate) async fn place(
    conn: &mut PgConnection,
    row: &Row,
    next: Option<DateTime<Utc>>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update queue.schedule set next_at = $2, computed_for = $3
          where name = $1 and next_at is not distinct from $4 and cron = $5 and zone = $6 and enabled = $7",
    )
    .bind(&row.name)
    .bind(next)
    .bind(made_of(row))
    .bind(row.next_at)
    .bind(&row.cron)
    .bind(&row.zone)
    .bind(row.enabled)
    .execute(conn)
    .await?;
    Ok(())
}

/// Enqueues what is due, and says how many jobs and where; nothing when another worker was faster.
pub(crate) async fn fire(
    conn: &mut PgConnection,
    row: &Row,
    was: DateTime<Utc>,
    due: &Due,
) -> Result<Option<(i32, String)>, sqlx::Error> {
    sqlx::query_as("select fired, wake from queue.fire_schedule($1, $2, $3, $4)")
        .bind(&row.name)
        .bind(was)
        .bind(due.next)
        .bind(&due.ticks)
        .fetch_optional(conn)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn step_of(change: impl FnOnce(&mut Row)) -> Step {
        let mut row = Row {
            name: "hourly".to_owned(),
            cron: "0 * * * *".to_owned(),
            zone: "UTC".to_owned(),
            catch_up: CatchUp::Last,
            enabled: true,
            next_at: Some(at("2026-11-23T11:00:00Z")),
            computed_for: Some("0 * * * * UTC".to_owned()),
            now: at("2026-11-23T10:20:00Z"),
        };
        change(&mut row);
        let table = Timetable::parse(&row.cron, &row.zone).expect("a timetable");
        step(&row, &table)
    }

    #[test]
    fn a_tick_is_awaited_and_then_fired() {
        let tick = at("2026-11-23T11:00:00Z");
        assert_eq!(step_of(|_| {}), Step::Wait(Some(tick)));
        let due = Due {
            ticks: vec![tick],
            next: Some(at("2026-11-23T12:00:00Z")),
        };
        assert_eq!(step_of(|row| row.now = tick), Step::Fire(tick, due));
    }

    #[test]
    fn what_is_new_or_changed_is_placed_and_not_fired() {
        let next = Some(at("2026-11-23T11:00:00Z"));
        let new = step_of(|row| (row.next_at, row.computed_for) = (None, None));
        assert_eq!(new, Step::Place(next));
        let changed = step_of(|row| {
            row.cron = "30 * * * *".to_owned();
            row.next_at = Some(at("2026-11-23T10:00:00Z"));
        });
        assert_eq!(changed, Step::Place(Some(at("2026-11-23T10:30:00Z"))));
    }

    #[test]
    fn a_clock_that_was_set_back_costs_no_tick() {
        let step = step_of(|row| row.next_at = Some(at("2099-01-01T00:00:00Z")));
        assert_eq!(step, Step::Place(Some(at("2026-11-23T11:00:00Z"))));
    }

    #[test]
    fn what_is_disabled_forgets_what_it_missed() {
        assert_eq!(step_of(|row| row.enabled = false), Step::Place(None));
    }

    #[test]
    fn what_never_comes_round_is_left_alone() {
        let never = |computed: Option<&str>| {
            step_of(|row| {
                row.cron = "0 0 31 2 *".to_owned();
                row.next_at = None;
                row.computed_for = computed.map(str::to_owned);
            })
        };
        assert_eq!(never(None), Step::Place(None));
        assert_eq!(never(Some("0 0 31 2 * UTC")), Step::Wait(None));
    }
}
