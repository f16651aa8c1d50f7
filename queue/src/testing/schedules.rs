//! Fires schedules when a test says so.

use chrono::TimeDelta;
use sqlx::{Connection as _, PgConnection};

use super::clock;
use crate::{
    ScheduleError,
    tick::{Row, Step, fire, place, rows, step},
    timetable::{Due, Timetable},
};

/// A schedule that came round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    pub name: String,
    /// How many jobs it enqueued; none while its last job is to run or running.
    pub jobs: usize,
}

/// Does what workers do when a schedule comes round: enqueues the jobs of all ticks up to now, by the catch-up policy
/// of each. `Now` is the database's clock and the time that a test let pass ([`time_passes`](super::time_passes)), so
/// patterns that name hours and days come round as often as they would. The times of ticks (`tick_at`) are told by the
/// database's clock.
///
/// A schedule that is new begins now: what it would have fired before is nobody's.
///
/// # Errors
/// A schedule that cannot be read, or whose kind nobody registered; those of the statements. Nothing is fired then.
pub async fn fire_schedules(conn: &mut PgConnection) -> Result<Vec<Fired>, ScheduleError> {
    let mut tx = conn.begin().await?;
    let passed = clock::passed(&mut tx).await?;
    let mut fired: Vec<Fired> = Vec::new();
    // Ticks come in portions, so until a look finds nothing.
    loop {
        let mut more = false;
        for row in rows(&mut tx).await? {
            let now = seen(&row, passed);
            let table = Timetable::parse(&row.cron, &row.zone).map_err(ScheduleError::Timetable)?;
            match step(&now, &table) {
                Step::Wait(_) => {}
                Step::Place(next) => {
                    place(&mut tx, &row, next.map(|next| next - passed)).await?;
                }
                Step::Fire(was, due) => {
                    let due = Due {
                        ticks: due.ticks.iter().map(|&tick| tick - passed).collect(),
                        next: due.next.map(|next| next - passed),
                    };
                    let Some((jobs, kind)) = fire(&mut tx, &row, was - passed, &due).await? else {
                        continue;
                    };
                    let jobs =
                        usize::try_from(jobs).map_err(|_| ScheduleError::UnknownKind(kind))?;
                    more = true;
                    match fired.iter_mut().find(|fired| fired.name == row.name) {
                        Some(fired) => fired.jobs += jobs,
                        None => fired.push(Fired {
                            name: row.name,
                            jobs,
                        }),
                    }
                }
            }
        }
        if !more {
            break;
        }
    }
    tx.commit().await?;
    Ok(fired)
}

/// Says when schedules that nobody has looked at come round. Those that cannot be read are left alone.
pub(super) async fn place_new(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    let passed = clock::passed(conn).await?;
    for row in rows(conn).await? {
        let Ok(table) = Timetable::parse(&row.cron, &row.zone) else {
            continue;
        };
        if let Step::Place(next) = step(&seen(&row, passed), &table) {
            place(conn, &row, next.map(|next| next - passed)).await?;
        }
    }
    Ok(())
}

/// The schedule as it stands after the time that has passed.
fn seen(row: &Row, passed: TimeDelta) -> Row {
    let mut row = row.clone();
    row.now += passed;
    row.next_at = row.next_at.map(|next| next + passed);
    row
}
