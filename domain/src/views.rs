//! Views: one per viewer, video and day, kept in an unlogged buffer and added to the videos by a job.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::ids::VideoId;

/// How long somebody must have watched: as long as `PeerTube` asks for, which is less than the 30 s that are said of
/// others. Half of it for a shorter video.
pub const COUNTS_AFTER: Duration = Duration::from_secs(10);
/// Rows of one statement.
const BATCH: i64 = 5_000;

/// How long a video of `duration` seconds must be watched to count.
pub fn counts_after(duration: Option<f64>) -> Duration {
    match duration {
        Some(seconds) if seconds.is_finite() && seconds > 0.0 => {
            Duration::from_secs_f64(seconds / 2.0).min(COUNTS_AFTER)
        }
        _ => COUNTS_AFTER,
    }
}

/// Notes that `viewer` watched; again within a day changes nothing. `false` if it was noted already.
///
/// # Errors
/// Those of the statement.
pub async fn note(db: &PgPool, video: VideoId, viewer: Uuid) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into video_views (video_id, viewer) values ($1, $2)
         on conflict (video_id, viewer) do update set counted_at = now(), pending = true
             where video_views.counted_at < now() - interval '24 hours' and not video_views.pending",
        video.0,
        viewer,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether `viewer` was noted within a day.
///
/// # Errors
/// Those of the statement.
pub async fn noted(db: &PgPool, video: VideoId, viewer: Uuid) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from video_views where video_id = $1 and viewer = $2
                                 and (pending or counted_at > now() - interval '24 hours')) as "noted!""#,
        video.0,
        viewer,
    )
    .fetch_one(db)
    .await
}

/// Adds what was noted to the videos, and forgets who watched more than a day ago. Each batch is one statement: a view is
/// either pending or counted, whatever dies in between. Returns how many were added.
///
/// # Errors
/// Those of the statements; what was added by then stays.
pub async fn flush(db: &PgPool) -> Result<u64, sqlx::Error> {
    let mut added = 0;
    loop {
        let batch = flush_batch(db).await?;
        added += batch;
        if batch < BATCH.unsigned_abs() {
            break;
        }
    }
    loop {
        let old = sqlx::query!(
            "delete from video_views where ctid = any(array(
                select ctid from video_views
                 where counted_at < now() - interval '24 hours' and not pending limit $1))",
            BATCH,
        )
        .execute(db)
        .await?;
        if old.rows_affected() < BATCH.unsigned_abs() {
            return Ok(added);
        }
    }
}

async fn flush_batch(db: &PgPool) -> Result<u64, sqlx::Error> {
    let mut tx = millrace_bus::begin(db).await?;
    let videos = sqlx::query_scalar!(
        "update video_views set pending = false
          where ctid = any(array(select ctid from video_views where pending limit $1 for update skip locked))
         returning video_id",
        BATCH,
    )
    .fetch_all(&mut *tx)
    .await?;
    let taken = videos.len() as u64;
    // In the order of their ids, as everybody does who counts several videos at once (`count_video_likes`).
    sqlx::query!(
        "with counted as (select id, count(*) as n from unnest($1::uuid[]) as id group by id),
              locked as (select v.id from videos v join counted using (id) order by v.id for no key update of v)
         update videos v set views = v.views + c.n
           from counted c join locked using (id) where v.id = c.id",
        &videos,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_short_video_is_enough() {
        assert_eq!(counts_after(Some(6.0)), Duration::from_secs(3));
        assert_eq!(counts_after(Some(600.0)), COUNTS_AFTER);
        for odd in [None, Some(0.0), Some(-1.0), Some(f64::NAN)] {
            assert_eq!(counts_after(odd), COUNTS_AFTER);
        }
    }
}
