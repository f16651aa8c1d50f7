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

/// Runs a statement, whose `$1` is its limit, until it finds less than that.
macro_rules! delete_all {
    ($db:expr, $statement:literal) => {{
        let mut gone = 0;
        loop {
            let batch = sqlx::query!($statement, BATCH).execute($db).await?;
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
            "delete from sessions where id = any(array(
                select id from sessions
                 where least(expires_at, coalesce(revoked_at, expires_at)) < now() - interval '7 days' limit $1))"
        ),
        throttles: delete_all!(
            db,
            "delete from throttles where key = any(array(
                select key from throttles where updated_at < now() - interval '7 days' limit $1))"
        ),
        tickets: delete_all!(
            db,
            "delete from ws_tickets where hash = any(array(
                select hash from ws_tickets where expires_at < now() - interval '1 hour' limit $1))"
        ),
        challenges: delete_all!(
            db,
            "delete from login_challenges where hash = any(array(
                select hash from login_challenges where expires_at < now() limit $1))"
        ),
        links: delete_all!(
            db,
            "delete from account_links where hash = any(array(
                select hash from account_links where expires_at < now() - interval '7 days' limit $1))"
        ),
        exports: delete_all!(
            db,
            "delete from exports where id = any(array(
                select id from exports
                 where expires_at < now() or key is null and created_at < now() - interval '1 day' limit $1))"
        ),
        avatars: delete_all!(
            db,
            "delete from avatars where id = any(array(
                select id from avatars where status <> 'ready' and created_at < now() - interval '1 day' limit $1))"
        ),
        // Rotated long ago. A session that is in use gets another token every quarter of an hour; who comes with such an
        // old one is refused as with any other that is unknown.
        refresh_tokens: delete_all!(
            db,
            "delete from refresh_tokens where hash = any(array(
                select hash from refresh_tokens where rotated_at < now() - interval '30 days' order by rotated_at limit $1))"
        ),
        invites: delete_all!(
            db,
            "delete from invites where id = any(array(
                select id from invites where expires_at < now() - interval '90 days' limit $1))"
        ),
        uploads: delete_all!(
            db,
            "delete from uploads where id = any(array(
                select id from uploads
                 where status in ('aborted', 'expired') and updated_at < now() - interval '30 days' limit $1))"
        ),
        bulk_edits: delete_all!(
            db,
            "delete from bulk_edits where id = any(array(
                select id from bulk_edits where created_at < now() - interval '30 days' limit $1))"
        ),
        sweeps: delete_all!(
            db,
            "delete from storage_sweeps where id = any(array(
                select id from storage_sweeps where started_at < now() - interval '90 days' limit $1))"
        ),
        progress: delete_all!(
            db,
            "delete from video_progress where ctid = any(array(
                select p.ctid from video_progress p
                 where not exists (select from videos v where v.id = p.video_id and v.generation = p.generation
                                      and v.status = 'processing') limit $1))"
        ),
        emails: delete_all!(
            db,
            "delete from emails where id = any(array(
                select id from emails where created_at < now() - interval '90 days' limit $1))"
        ),
        notifications: delete_all!(
            db,
            "delete from notifications where id = any(array(
                select id from notifications where created_at < now() - interval '90 days' limit $1))"
        ),
    })
}
