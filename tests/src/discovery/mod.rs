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

/// Fills an empty database with so many videos, and counts what is in its tables. A million takes some ten minutes.
///
/// # Errors
/// Those of the statements.
pub async fn fill(db: &PgPool, videos: u32) -> Result<()> {
    // A connection of its own: what is set and made for the session goes with it.
    let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
    let statements = FIXTURE.replace("$VIDEOS", &videos.to_string());
    sqlx::raw_sql(AssertSqlSafe(statements))
        .execute(&mut conn)
        .await
        .context("the platform cannot be made")?;
    sqlx::raw_sql("vacuum analyze").execute(&mut conn).await?;
    conn.close().await?;
    Ok(())
}

/// Which large tables were read from end to end in this transaction, and how many rows were read so.
///
/// # Errors
/// Those of the statement.
pub async fn read_whole(conn: &mut PgConnection) -> Result<BTreeMap<String, i64>> {
    let tables: Vec<(String, i64)> = sqlx::query_as(
        "select s.relname::text, s.seq_tup_read from pg_stat_xact_user_tables s join pg_class c on c.oid = s.relid
          where s.seq_scan > 0 and c.reltuples >= $1",
    )
    .bind(LARGE as f32)
    .fetch_all(conn)
    .await?;
    Ok(tables.into_iter().collect())
}
