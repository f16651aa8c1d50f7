//! A gate in the database: whoever wants to write a row waits there until the test lets them through. So a worker can be
//! killed in the middle of a job, at a place that the test chose.

use std::time::Duration;

use anyhow::Result;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};

use crate::until;

/// Names the lock.
const LOCK: i64 = 6_021;

/// A closed gate. Dropped, it is open.
pub struct Gate {
    /// Holds the lock.
    conn: PgConnection,
    db: PgPool,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// Closes `table` for rows that are to be inserted or updated and of which `condition` on `new` is true.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn close(db: &PgPool, table: &str, condition: &str) -> Result<Self> {
        let mut conn = PgConnection::connect_with(&db.connect_options()).await?;
        let statements = format!(
            "select pg_advisory_lock({LOCK});
             create function gate() returns trigger language plpgsql as $$
             begin
                 if {condition} then perform pg_advisory_xact_lock_shared({LOCK}); end if;
                 return new;
             end $$;
             create trigger gate before insert or update on {table} for each row execute function gate()"
        );
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut conn)
            .await?;
        Ok(Self {
            conn,
            db: db.clone(),
        })
    }

    /// Waits until somebody waits there.
    ///
    /// # Errors
    /// That nobody comes in time.
    pub async fn reached(&self, within: Duration) -> Result<()> {
        until("somebody waits at the gate", within, async || {
            let waits: bool = sqlx::query_scalar(
                "select exists(select from pg_locks l join pg_database d on d.oid = l.database
                                where l.locktype = 'advisory' and not l.granted and d.datname = current_database()
                                  and l.classid = 0 and l.objid::int8 = $1)",
            )
            .bind(LOCK)
            .fetch_one(&self.db)
            .await?;
            Ok(waits.then_some(()))
        })
        .await
    }

    /// Lets everybody through.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn open(self) -> Result<()> {
        Ok(self.conn.close().await?)
    }
}
