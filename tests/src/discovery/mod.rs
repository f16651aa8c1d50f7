//! Finding videos among very many: a platform that statements make, every kind of question that people ask of it, and whether
//! PostgreSQL answers without reading a whole table.

/// The questions.
mod shapes;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

pub use shapes::{SHAPES, Shape, World};

/// How a platform of any size is made.
pub const FIXTURE: &str = include_str!("fixture.sql");
/// A smaller table may be read whole.
const LARGE: i64 = 2_000;

/// Fills an empty database with so many videos, and counts what is in its tables; one that was left half filled is gone on
/// with, and a filled one left alone. A million takes some minutes.
///
/// # Errors
/// Those of the statements.
pub async fn fill(db: &PgPool, videos: u32) -> Result<()> {
    // A connection of its own: what is set for the session goes with it.
    let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
    sqlx::raw_sql(
        "set work_mem = '256MB'; set maintenance_work_mem = '512MB'; set synchronous_commit = off;
         create schema if not exists fixture;
         create table if not exists fixture.done (stage text primary key)",
    )
    .execute(&mut conn)
    .await?;
    for stage in FIXTURE.split("-- stage: ").skip(1) {
        let (name, statements) = stage.split_once('\n').context("a stage has a name")?;
        let done = sqlx::query_scalar("select exists (select from fixture.done where stage = $1)");
        if done.bind(name).fetch_one(&mut conn).await? {
            continue;
        }
        let statements = statements.replace("$VIDEOS", &videos.to_string());
        // A lone statement that commits as it goes cannot be part of a transaction.
        let alone = statements.trim_start().starts_with("do ");
        let noted = format!("insert into fixture.done values ('{name}')");
        let statements = if alone {
            vec![statements, noted]
        } else {
            vec![statements + ";" + &noted]
        };
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut conn)
                .await
                .with_context(|| format!("the platform cannot be made: {name}"))?;
        }
    }
    let analyzed =
        sqlx::query_scalar("select exists (select from fixture.done where stage = 'vacuum')");
    if !analyzed.fetch_one(&mut conn).await? {
        sqlx::raw_sql("vacuum analyze").execute(&mut conn).await?;
        sqlx::raw_sql("insert into fixture.done values ('vacuum')")
            .execute(&mut conn)
            .await?;
    }
    conn.close().await?;
    Ok(())
}

/// How often large tables were read from end to end on this connection. It counts what earlier transactions did that is not
/// in the statistics yet, so what a question did is the difference: see [`read_whole`].
///
/// # Errors
/// Those of the statement.
pub async fn reads(conn: &mut PgConnection) -> Result<BTreeMap<String, i64>> {
    let tables: Vec<(String, i64)> = sqlx::query_as(
        "select s.relname::text, s.seq_scan from pg_stat_xact_user_tables s join pg_class c on c.oid = s.relid
          where s.seq_scan > 0 and c.reltuples >= $1",
    )
    .bind(LARGE as f32)
    .fetch_all(conn)
    .await?;
    Ok(tables.into_iter().collect())
}

/// The tables that were read whole between two looks at [`reads`].
pub fn read_whole(before: &BTreeMap<String, i64>, after: &BTreeMap<String, i64>) -> Vec<String> {
    let more = |(table, times): &(&String, &i64)| before.get(*table).is_none_or(|old| old < *times);
    after
        .iter()
        .filter(more)
        .map(|(table, _)| table.clone())
        .collect()
}
