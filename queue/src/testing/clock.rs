//! Time that passes when a test says so.

use std::{fmt::Write as _, time::Duration};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::schedules;

/// What is taken off further and given back, so that no row meets the key of another on its way.
const ASIDE: &str = "interval '1000 years'";

/// Moves every time that is stored in the schema `queue` into the past by `time`, as if all of it had happened so much
/// earlier: retries and delayed jobs come due, unique keys and leases expire, rates open, schedules come round, debounced jobs
/// meet their bound, workers that do not beat are dead, and the days on which finished jobs may go come nearer. Nothing is
/// done about it here: run jobs by a [`Runner`](super::Runner), fire schedules by
/// [`fire_schedules`](super::fire_schedules), take back the jobs of dead workers by [`rescue`](crate::rescue()), and drop old
/// days by [`maintain`](crate::maintain()).
///
/// What it cannot move: the moment of creation within the ids of jobs, times within JSON (arguments, the `at` of errors),
/// tables of the application, and clocks of processes that run beside. Of the day on which a finished job may go, the part
/// of a day that is left over is not counted.
///
/// # Errors
/// Those of the statements; nothing has moved then.
pub async fn time_passes(conn: &mut PgConnection, time: Duration) -> Result<(), sqlx::Error> {
    let micros = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    let mut tx = conn.begin().await?;
    // A schedule that nobody has looked at begins now, and not after this time.
    schedules::place_new(&mut tx).await?;
    let tables: Vec<(String, Vec<String>, bool)> = sqlx::query_as(
        "select c.relname::text, array_agg(quote_ident(a.attname) order by a.attnum),
                bool_or(exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)))
           from pg_class c join pg_attribute a on a.attrelid = c.oid
          where c.relnamespace = 'queue'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and a.attnum > 0 and not a.attisdropped and a.atttypid = 'timestamptz'::regtype
          group by c.oid, c.relname order by c.relname",
    )
    .fetch_all(&mut *tx)
    .await?;
    let by = format!("- interval '{micros} microseconds'");
    let mut script = String::new();
    for (table, columns, keyed) in tables {
        let steps = if keyed {
            vec![format!("{by} - {ASIDE}"), format!("+ {ASIDE}")]
        } else {
            vec![by.clone()]
        };
        for step in steps {
            let sets: Vec<String> = columns
                .iter()
                .map(|c| format!("{c} = {c} {step}"))
                .collect();
            let _ = writeln!(script, "update queue.{table} set {};", sets.join(", "));
        }
    }
    sqlx::raw_sql(AssertSqlSafe(script))
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "update queue.history
            set drop_on = date '1970-01-01'
                + ceil(extract(epoch from drop_on::timestamp - $1 * interval '1 microsecond') / 86400)::integer",
    )
    .bind(micros)
    .execute(&mut *tx)
    .await?;
    sqlx::query("create table if not exists queue.fake_clock (passed interval not null)")
        .execute(&mut *tx)
        .await?;
    sqlx::query(
        "with was as (delete from queue.fake_clock returning passed)
         insert into queue.fake_clock
         select coalesce(sum(passed), interval '0') + $1 * interval '1 microsecond' from was",
    )
    .bind(micros)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// How much time has passed that the database's clock knows nothing of.
pub(super) async fn passed(conn: &mut PgConnection) -> Result<chrono::TimeDelta, sqlx::Error> {
    let there: bool = sqlx::query_scalar("select to_regclass('queue.fake_clock') is not null")
        .fetch_one(&mut *conn)
        .await?;
    if !there {
        return Ok(chrono::TimeDelta::zero());
    }
    let micros: Option<i64> = sqlx::query_scalar(
        "select (sum(extract(epoch from passed)) * 1000000)::bigint from queue.fake_clock",
    )
    .fetch_one(conn)
    .await?;
    Ok(chrono::TimeDelta::microseconds(micros.unwrap_or(0)))
}
