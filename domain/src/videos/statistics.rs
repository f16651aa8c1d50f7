//! What is watched of a video, and when: said by players, gathered in a buffer, summed up by a job.

use chrono::NaiveDate;
use sqlx::PgExecutor;

use crate::ids::VideoId;

/// Parts that retention is told in.
pub const PARTS: usize = 100;

/// What a player says: which parts it played since it last said something, in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beacon {
    /// It is the first of a sitting.
    pub begins: bool,
    pub ranges: Vec<(f32, f32)>,
}

/// One day of a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    pub day: NaiveDate,
    pub views: i64,
    /// Seconds.
    pub watched: f64,
}

/// Notes what a player said.
///
/// # Errors
/// Those of the statement.
pub async fn note_beacon(
    db: impl PgExecutor<'_>,
    video: VideoId,
    beacon: &Beacon,
) -> Result<(), sqlx::Error> {
    let nothing = (0.0, 0.0);
    let ranges = if beacon.ranges.is_empty() {
        std::slice::from_ref(&nothing)
    } else {
        &beacon.ranges
    };
    let from: Vec<f32> = ranges.iter().map(|r| r.0).collect();
    let to: Vec<f32> = ranges.iter().map(|r| r.1).collect();
    sqlx::query!(
        "insert into watch_beacons (video_id, begins, from_s, to_s)
         select $1, $2 and n = 1, from_s, to_s
           from unnest($3::real[], $4::real[]) with ordinality as r (from_s, to_s, n)",
        video.0,
        beacon.begins,
        &from,
        &to,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Sums up at most `limit` of what was noted, and says how many that were. One statement: what it takes from the buffer
/// is in the sums, or neither is.
///
/// # Errors
/// Those of the statement.
pub async fn sum_up(db: impl PgExecutor<'_>, limit: i64) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with batch as (
               delete from watch_beacons
                where id in (select id from watch_beacons order by id limit $1 for update skip locked)
               returning video_id, begins, from_s, to_s, day
           ), known as (
               select b.video_id, b.begins, b.day, v.duration,
                      least(b.from_s, v.duration) as from_s, least(b.to_s, v.duration) as to_s
                 from batch b join videos v on v.id = b.video_id where v.duration > 0
           ), days as (
               insert into video_daily as d (video_id, day, views, watch_s)
               select video_id, day, count(*) filter (where begins), sum(to_s - from_s)
                 from known group by video_id, day order by video_id, day
               on conflict (video_id, day) do update
                  set views = d.views + excluded.views, watch_s = d.watch_s + excluded.watch_s
           ), parts as (
               insert into video_retention as r (video_id, part, watch_s)
               select k.video_id, p.part,
                      sum(least(k.to_s, (p.part + 1) * k.duration / 100) - greatest(k.from_s, p.part * k.duration / 100))
                 from known k, generate_series(0, 99) as p (part)
                where k.to_s > p.part * k.duration / 100 and k.from_s < (p.part + 1) * k.duration / 100
                group by k.video_id, p.part order by k.video_id, p.part
               on conflict (video_id, part) do update set watch_s = r.watch_s + excluded.watch_s
           )
           select count(*) as "count!" from batch"#,
        limit,
    )
    .fetch_one(db)
    .await
}

/// The last `days` days of a video that have anything, in order.
///
/// # Errors
/// Those of the statement.
pub async fn days_of(
    db: impl PgExecutor<'_>,
    video: VideoId,
    days: i32,
) -> Result<Vec<Day>, sqlx::Error> {
    sqlx::query_as!(
        Day,
        "select day, views, watch_s as watched from video_daily
          where video_id = $1 and day > (now() at time zone 'utc')::date - $2::int order by day",
        video.0,
        days,
    )
    .fetch_all(db)
    .await
}

/// Views and seconds since the video exists.
///
/// # Errors
/// Those of the statement.
pub async fn totals_of(db: impl PgExecutor<'_>, video: VideoId) -> Result<(i64, f64), sqlx::Error> {
    let row = sqlx::query!(
        r#"select coalesce(sum(views), 0)::bigint as "views!", coalesce(sum(watch_s), 0)::float8 as "watched!"
             from video_daily where video_id = $1"#,
        video.0,
    )
    .fetch_one(db)
    .await?;
    Ok((row.views, row.watched))
}

/// Seconds that each hundredth of a video was played.
///
/// # Errors
/// Those of the statement.
pub async fn parts_of(db: impl PgExecutor<'_>, video: VideoId) -> Result<Vec<f64>, sqlx::Error> {
    let rows = sqlx::query!(
        "select part, watch_s from video_retention where video_id = $1",
        video.0
    )
    .fetch_all(db)
    .await?;
    let mut parts = vec![0.0; PARTS];
    for row in rows {
        if let Some(part) = usize::try_from(row.part)
            .ok()
            .and_then(|n| parts.get_mut(n))
        {
            *part = row.watch_s;
        }
    }
    Ok(parts)
}
