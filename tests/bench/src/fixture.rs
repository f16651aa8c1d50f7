//! What is in the tables when a run begins: the same every time, made by statements over sets, vacuumed, and written to
//! disk before the clock starts.

use anyhow::{Context as _, Result};
use millrace_queue::Kind;
use sqlx::postgres::PgPoolOptions;

use crate::{
    cluster::{Cluster, Database},
    kinds::TENANT,
};

/// A name for this version of the engine's schema: databases of another are of no use.
fn version() -> String {
    let migrator = millrace_queue::migrator();
    let mut hash = 0_u64;
    for byte in migrator.iter().flat_map(|m| m.checksum.iter()) {
        hash = hash.wrapping_mul(0x0100_0000_01b3) ^ u64::from(*byte);
    }
    format!("{hash:016x}")
}

/// The engine's database, without jobs.
pub(crate) async fn engine(cluster: &Cluster) -> Result<Database> {
    let name = format!("engine_{}", version());
    cluster.drop_others("engine_", &name).await?;
    cluster
        .database_made_by(&name, async |db| migrate(&db).await)
        .await
}

/// The engine's database with `rows` finished jobs of the ten days before it was made, which takes minutes.
pub(crate) async fn history(cluster: &Cluster, rows: u64) -> Result<Database> {
    let name = format!("history_{rows}_{}", version());
    cluster
        .drop_others(&format!("history_{rows}_"), &name)
        .await?;
    cluster
        .database_made_by(&name, async |db| {
            eprintln!("  making {rows} finished jobs, once");
            migrate(&db).await?;
            for day in 1..=10 {
                // Attached when it is full, so that its indexes are sorted and not grown.
                // Its days never come to be dropped.
                db.sql(&format!(
                    "create table queue.history_bench_{day} (like queue.history including defaults including constraints);
                     insert into queue.history_bench_{day} (
                         id, kind, queue, state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes, run_no,
                         token, worker_id, started_at, timeout_ms, meta, tags, errors, created_at, finished_at, drop_on)
                     select (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
                             || lpad(to_hex(n % 4096), 3, '0') || '8' || substr(md5(n::text), 1, 15))::uuid,
                            'noop', 'bench', 'completed', 0, at, jsonb_build_object('id', n), 1, 20, 0, 3, 1,
                            md5(n::text)::uuid, '00000000-0000-7000-8000-000000000000', at, 600000, '{{}}', '{{}}',
                            '[]', at, at + interval '3 milliseconds', date '2900-01-01' + {day}
                       from generate_series(1, {rows} / 10) as g(n),
                            lateral (select (date_trunc('day', now() at time zone 'UTC') at time zone 'UTC')
                                            - {day} * interval '1 day' + n * interval '1 day' / ({rows} / 10 + 1)) as t(at);
                     alter table queue.history attach partition queue.history_bench_{day}
                         for values from (date '2900-01-01' + {day}) to (date '2900-01-02' + {day})"
                ))
                .await?;
                eprintln!("  day {day} of 10");
            }
            db.sql("vacuum (freeze, analyze) queue.history").await?;
            db.sql("checkpoint").await
        })
        .await
}

async fn migrate(db: &Database) -> Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(db.options.clone())
        .await?;
    millrace_queue::migrate(&pool).await?;
    pool.close().await;
    db.sql(
        "create schema bench;
         create table bench.effect (job uuid primary key, at timestamptz not null default now())",
    )
    .await
}

/// Takes away what runs have left. Finished jobs that are part of the fixture stay.
pub(crate) async fn clear(db: &Database) -> Result<()> {
    db.sql(
        "do $$ declare v_part regclass; begin
             perform queue.ensure_partitions();
             for v_part in
                 select inhrelid::regclass from pg_inherits
                  where inhparent = 'queue.history'::regclass and inhrelid::regclass::text not like '%history_bench_%'
             loop
                 execute format('truncate %s', v_part);
             end loop;
             truncate queue.job, queue.unique_key, queue.dependency, queue.progress, queue.worker, queue.tally, bench.effect;
         end $$",
    )
    .await
}

/// `jobs` of the kind `K`, as the engine's enqueue would have left them, and nothing else that is alive.
pub(crate) async fn fill<K: Kind>(db: &Database, jobs: u64) -> Result<()> {
    fill_with_keys::<K>(db, jobs, None).await
}

/// The same, with so many limit keys that take turns.
pub(crate) async fn fill_with_keys<K: Kind>(
    db: &Database,
    jobs: u64,
    keys: Option<i64>,
) -> Result<()> {
    clear(db).await?;
    let mut conn = db.conn().await?;
    sqlx::query(
        "insert into queue.job (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, timeout_ms,
                                limit_key, gate)
         select (lpad(to_hex(start + n / 50), 12, '0') || '7' || lpad(to_hex(n % 50), 3, '0') || '8'
                 || substr(md5(n::text), 1, 15))::uuid,
                $2, $3, 'available', $4::smallint, now() - interval '1 hour' + n * interval '20 microseconds',
                jsonb_build_object('id', n), $5::integer, $6::integer, $7::bigint,
                $8 || ':' || n % $9, queue.gate_of($2, $3, null, $8 || ':' || n % $9)
           from generate_series(1, $1::bigint) as g(n), (select (extract(epoch from now()) * 1000)::bigint - 3600000) as s(start)",
    )
    .bind(i64::try_from(jobs)?)
    .bind(K::KIND)
    .bind(K::QUEUE)
    .bind(K::PRIORITY)
    .bind(i32::from(K::MAX_ATTEMPTS))
    .bind(i32::from(K::MAX_CRASHES))
    .bind(i64::try_from(K::TIMEOUT.as_millis())?)
    .bind(TENANT)
    .bind(keys)
    .execute(&mut conn)
    .await
    .context("filling the queue")?;
    settle(db, "queue.job").await
}

/// Vacuums a table, and has the server write everything out: neither is to happen while the clock runs.
pub(crate) async fn settle(db: &Database, table: &str) -> Result<()> {
    db.sql(&format!("vacuum analyze {table}")).await?;
    db.sql("checkpoint").await
}
