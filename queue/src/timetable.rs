//! When a cron pattern comes round in a time zone. Nothing here reads a clock.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::CatchUp;

/// Ticks of one look, when every missed one counts; the rest comes with the next look.
const MOST: usize = 500;
/// A tick that is later than this was missed.
pub(crate) const LATE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// A pattern in a zone.
#[derive(Debug)]
pub(crate) struct Timetable {
    cron: Cron,
    zone: Tz,
}

/// What is to be done at a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The ticks to fire, in order.
    pub(crate) ticks: Vec<DateTime<Utc>>,
    /// The first tick after those; `None` when the pattern never comes round again.
    pub(crate) next: Option<DateTime<Utc>>,
}

impl Timetable {
    /// `cron` has five fields, or six with seconds first. Says what is wrong with it.
    pub(crate) fn parse(cron: &str, zone: &str) -> Result<Self, String> {
        Ok(Self {
            cron: Cron::from_str(cron).map_err(|error| format!("{cron:?}: {error}"))?,
            zone: zone
                .parse()
                .map_err(|_| format!("there is no time zone {zone:?}"))?,
        })
    }

    /// The first tick after `time`.
    pub(crate) fn after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = self
            .cron
            .find_next_occurrence(&time.with_timezone(&self.zone), false);
        next.ok().map(|next| next.to_utc())
    }

    /// The last tick up to `time`, itself included.
    fn before(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let last = self
            .cron
            .find_previous_occurrence(&time.with_timezone(&self.zone), true);
        last.ok().map(|last| last.to_utc())
    }

    /// What is due at `now`, when `next_at` was the first tick that had not been fired.
    pub(crate) fn due(&self, catch_up: CatchUp, next_at: DateTime<Utc>, now: DateTime<Utc>) -> Due {
        if next_at > now {
            return Due {
                ticks: Vec::new(),
                next: Some(next_at),
            };
        }
        if catch_up == CatchUp::All {
            let mut ticks = vec![next_at];
            let mut next = self.after(next_at);
            while let Some(tick) = next.filter(|&tick| tick <= now && ticks.len() < MOST) {
                ticks.push(tick);
                next = self.after(tick);
            }
            return Due { ticks, next };
        }
        let last = self.before(now).map_or(next_at, |last| last.max(next_at));
        let missed = catch_up == CatchUp::None && now - last > LATE;
        Due {
            ticks: if missed { Vec::new() } else { vec![last] },
            next: self.after(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn table(cron: &str, zone: &str) -> Timetable {
        Timetable::parse(cron, zone).expect("a timetable")
    }

    #[test]
    fn patterns_with_and_without_seconds_are_read() {
        let from = at("2026-11-23T10:17:31Z");
        assert_eq!(
            table("*/10 * * * * *", "UTC").after(from),
            Some(at("2026-11-23T10:17:40Z"))
        );
        assert_eq!(
            table("5 * * * *", "UTC").after(from),
            Some(at("2026-11-23T11:05:00Z"))
        );
        assert_eq!(
            table("@daily", "UTC").after(from),
            Some(at("2026-11-24T00:00:00Z"))
        );
    }

    #[test]
    fn nonsense_is_refused() {
        assert!(Timetable::parse("every day", "UTC").is_err());
        assert!(Timetable::parse("61 * * * *", "UTC").is_err());
        assert!(Timetable::parse("0 0 * * *", "Atlantis/Capital").is_err());
        assert_eq!(
            table("0 0 31 2 *", "UTC").after(at("2026-01-01T00:00:00Z")),
            None
        );
    }

    #[test]
    fn a_daily_tick_follows_its_zone_through_summer_time() {
        let table = table("30 2 * * *", "Europe/Berlin");
        let mut tick = at("2026-03-27T12:00:00Z");
        let mut ticks = Vec::new();
        for _ in 0..3 {
            tick = table.after(tick).expect("a tick");
            ticks.push(tick);
        }
        // 02:30 does not exist on the 29th; once a day all the same.
        assert_eq!(ticks[0], at("2026-03-28T01:30:00Z"));
        assert_eq!(
            ticks[1].date_naive(),
            at("2026-03-29T00:00:00Z").date_naive()
        );
        assert_eq!(ticks[2], at("2026-03-30T00:30:00Z"));
        // 02:30 comes twice on 25 October; once a day all the same.
        let first = table.after(at("2026-10-24T12:00:00Z")).expect("a tick");
        let second = table.after(first).expect("a tick");
        assert_eq!(first.date_naive(), at("2026-10-25T00:00:00Z").date_naive());
        assert_eq!(second, at("2026-10-26T01:30:00Z"));
    }

    #[test]
    fn missed_ticks_follow_the_policy() {
        let hourly = table("0 * * * *", "UTC");
        let (was, now) = (at("2026-11-23T01:00:00Z"), at("2026-11-23T04:30:00Z"));
        let next = Some(at("2026-11-23T05:00:00Z"));
        let last = at("2026-11-23T04:00:00Z");
        let none = hourly.due(CatchUp::None, was, now);
        assert_eq!((none.ticks, none.next), (Vec::new(), next));
        let one = hourly.due(CatchUp::Last, was, now);
        assert_eq!((one.ticks, one.next), (vec![last], next));
        let all = hourly.due(CatchUp::All, was, now);
        assert_eq!(
            (all.ticks.len(), all.ticks.last(), all.next),
            (4, Some(&last), next)
        );
        // In time is not missed.
        let none = hourly.due(CatchUp::None, was, at("2026-11-23T04:00:02Z"));
        assert_eq!(none.ticks, [last]);
    }

    #[test]
    fn years_of_missed_seconds_come_in_portions() {
        let (was, now) = (at("2020-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
        let due = table("* * * * * *", "UTC").due(CatchUp::All, was, now);
        assert_eq!(due.ticks.len(), MOST);
        assert_eq!(
            due.next,
            Some(was + chrono::TimeDelta::seconds(MOST as i64))
        );
    }

    proptest! {
        /// However looks fall, every tick is fired once with `all`, in order, and none before its time.
        #[test]
        fn no_tick_is_lost_or_fired_twice(gaps in prop::collection::vec(1i64..4_000, 1..40), minutes in 1i64..30) {
            let table = table(&format!("*/{minutes} * * * *"), "Asia/Taipei");
            let start = at("2026-11-23T01:00:00Z");
            let mut next_at = table.after(start).expect("a tick");
            let (mut now, mut fired) = (start, Vec::new());
            for gap in gaps {
                now += chrono::TimeDelta::seconds(gap);
                let due = table.due(CatchUp::All, next_at, now);
                prop_assert!(due.ticks.iter().all(|&tick| tick <= now));
                fired.extend(due.ticks);
                next_at = due.next.expect("it comes round for ever");
                prop_assert!(next_at > now);
            }
            let mut expected = Vec::new();
            let mut tick = table.after(start).expect("a tick");
            while tick <= now {
                expected.push(tick);
                tick = table.after(tick).expect("a tick");
            }
            prop_assert_eq!(fired, expected);
        }
    }
}
