//! Rows past their time. Each statement is bounded, so that a table that nobody swept for a year is not locked for long.

use sqlx::PgPool;

/// Rows of one statement.
const BATCH: i64 = 5_000;

/// How many rows of each table went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Expired {
    pub sessions: u64,
    pub throttles: u64,
    pub tickets: u64,
    pub challenges: u64,
    pub links: u64,
    pub exports: u64,
    pub avatars: u64,
    pub refresh_tokens: u64,
    pub invites: u64,
    pub uploads: u64,
    pub bulk_edits: u64,
    pub sweeps: u64,
    pub progress: u64,
    pub emails: u64,
    pub notifications: u64,
}

/// Deletes the rows of a table, known by a column, that fit, a batch at a time until there are fewer than that. What
/// fits may end with an order.
macro_rules! delete_all {
    ($db:expr, $table:literal, $key:literal, $fits:literal) => {{
        let mut gone = 0;
        loop {
            let batch = sqlx::query!(
                "delete from "
                    + $table
                    + " where "
                    + $key
                    + " = any(array(select "
                    + $key
                    + " from "
                    + $table
                    + " where "
                    + $fits
                    + " limit $1))",
                BATCH
            )
            .execute($db)
            .await?;
            gone += batch.rows_affected();
            if batch.rows_affected() < BATCH.unsigned_abs() {
                break gone;
            }
        }
    }};
}

/// Deletes what nobody can use any more: sessions a week after their end or revocation (a refused token is told from an
/// unknown one until then), buckets that have long been full again, tickets, log-ins that stopped half way, links of mails,
/// copies of accounts, pictures that were never sent, sweeps, mails and news of last quarter (a key that is
/// older than that may be used again), the progress of videos that are not being made, refresh tokens that were exchanged
/// a month ago, invitations of last quarter, and uploads and changes of many that ended a month ago.
///
/// # Errors
/// Those of the statements; what was deleted by then stays deleted.
pub async fn sweep_expired(db: &PgPool) -> Result<Expired, sqlx::Error> {
    Ok(Expired {
        sessions: delete_all!(
            db,
            "sessions",
            "id",
            "least(expires_at, coalesce(revoked_at, expires_at)) < now() - interval '7 days'"
        ),
        throttles: delete_all!(
            db,
            "throttles",
            "key",
            "updated_at < now() - interval '7 days'"
        ),
        tickets: delete_all!(
            db,
            "ws_tickets",
            "hash",
            "expires_at < now() - interval '1 hour'"
        ),
        challenges: delete_all!(db, "login_challenges", "hash", "expires_at < now()"),
        links: delete_all!(
            db,
            "account_links",
            "hash",
            "expires_at < now() - interval '7 days'"
        ),
        exports: delete_all!(
            db,
            "exports",
            "id",
            "expires_at < now() or key is null and created_at < now() - interval '1 day'"
        ),
        avatars: delete_all!(
            db,
            "avatars",
            "id",
            "status <> 'ready' and created_at < now() - interval '1 day'"
        ),
        // Rotated long ago. A session that is in use gets another token every quarter of an hour; who comes with such an
        // old one is refused as with any other that is unknown.
        refresh_tokens: delete_all!(
            db,
            "refresh_tokens",
            "hash",
            "rotated_at < now() - interval '30 days' order by rotated_at"
        ),
        invites: delete_all!(
            db,
            "invites",
            "id",
            "expires_at < now() - interval '90 days'"
        ),
        uploads: delete_all!(
            db,
            "uploads",
            "id",
            "status in ('aborted', 'expired') and updated_at < now() - interval '30 days'"
        ),
        bulk_edits: delete_all!(
            db,
            "bulk_edits",
            "id",
            "created_at < now() - interval '30 days'"
        ),
        sweeps: delete_all!(
            db,
            "storage_sweeps",
            "id",
            "started_at < now() - interval '90 days'"
        ),
        progress: delete_all!(
            db,
            "video_progress",
            "ctid",
            "not exists (select from videos v where v.id = video_progress.video_id and v.generation = video_progress.generation and v.status = 'processing')"
        ),
        emails: delete_all!(
            db,
            "emails",
            "id",
            "created_at < now() - interval '90 days'"
        ),
        notifications: delete_all!(
            db,
            "notifications",
            "id",
            "created_at < now() - interval '90 days'"
        ),
    })
}
