//! The row of a sweep: what it found, and how far it is.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor, types::Json};
use uuid::Uuid;

/// Objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub objects: u64,
    pub bytes: u64,
}

/// A sweep of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sweep {
    pub id: Uuid,
    /// Only counts.
    pub dry_run: bool,
    pub older_than_s: i64,
    pub started_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
    /// The last key that was looked at.
    #[serde(skip)]
    pub after: Option<String>,
    /// Looked at.
    pub seen: Tally,
    /// Old enough, and named by no row.
    pub orphans: Tally,
    pub deleted: Tally,
    /// Prefixes whose job had not done its work.
    pub doomed: u64,
    /// The orphans by the first part of their keys.
    pub by_prefix: BTreeMap<String, Tally>,
}

/// What the last finished sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSweep {
    pub orphans: Tally,
    pub finished_at: DateTime<Utc>,
}

impl Tally {
    /// Counts one more object.
    pub fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes += bytes;
    }

    fn of(objects: i64, bytes: i64) -> Self {
        Self {
            objects: objects.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
        }
    }
}

impl Sweep {
    /// Begins a sweep, or finds where an earlier run of the same one stopped.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn begin(
        conn: &mut PgConnection,
        id: Uuid,
        dry_run: bool,
        older_than: Duration,
    ) -> Result<Self, sqlx::Error> {
        sqlx::query!(
            "insert into storage_sweeps (id, dry_run, older_than_s) values ($1, $2, $3) on conflict do nothing",
            id,
            dry_run,
            // A hundred years are as good as for ever, and no date overflows.
            i64::try_from(older_than.as_secs()).unwrap_or(i64::MAX).min(100 * 365 * 86_400),
        )
        .execute(&mut *conn)
        .await?;
        let row = sqlx::query!(
            r#"select dry_run, older_than_s, started_at, finished_at, after, objects, bytes, orphan_objects, orphan_bytes,
                      deleted_objects, deleted_bytes, doomed, by_prefix as "by_prefix: Json<BTreeMap<String, Tally>>"
                 from storage_sweeps where id = $1"#,
            id
        )
        .fetch_one(conn)
        .await?;
        Ok(Self {
            id,
            dry_run: row.dry_run,
            older_than_s: row.older_than_s,
            started_at: row.started_at,
            finished_at: row.finished_at,
            after: row.after,
            seen: Tally::of(row.objects, row.bytes),
            orphans: Tally::of(row.orphan_objects, row.orphan_bytes),
            deleted: Tally::of(row.deleted_objects, row.deleted_bytes),
            doomed: row.doomed.unsigned_abs(),
            by_prefix: row.by_prefix.0,
        })
    }

    /// What is as old as this may be swept.
    pub fn old(&self) -> DateTime<Utc> {
        self.started_at - chrono::Duration::seconds(self.older_than_s)
    }

    /// Writes down how far it is.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn save(&self, db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        sqlx::query!(
            "update storage_sweeps
                set after = $2, objects = $3, bytes = $4, orphan_objects = $5, orphan_bytes = $6, deleted_objects = $7,
                    deleted_bytes = $8, doomed = $9, by_prefix = $10
              where id = $1",
            self.id,
            self.after,
            number(self.seen.objects),
            number(self.seen.bytes),
            number(self.orphans.objects),
            number(self.orphans.bytes),
            number(self.deleted.objects),
            number(self.deleted.bytes),
            number(self.doomed),
            Json(&self.by_prefix) as _,
        )
        .execute(db)
        .await?;
        Ok(())
    }

    /// Writes down that it has been through everything.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn finish(&self, db: impl PgExecutor<'_>) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "update storage_sweeps set finished_at = coalesce(finished_at, clock_timestamp()) where id = $1",
            self.id
        )
        .execute(db)
        .await?;
        Ok(())
    }
}

/// What the last finished sweep found; `None` before the first.
///
/// # Errors
/// Those of the statement.
pub async fn last(db: impl PgExecutor<'_>) -> Result<Option<LastSweep>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select orphan_objects, orphan_bytes, finished_at as "finished_at!"
             from storage_sweeps where finished_at is not null order by finished_at desc limit 1"#
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| LastSweep {
        orphans: Tally::of(row.orphan_objects, row.orphan_bytes),
        finished_at: row.finished_at,
    }))
}
