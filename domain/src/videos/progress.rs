//! How far a video is. Parts (chunks, the audio) say how much they have done; the percent is computed from all of
//! them and kept as a floor in the video's row, so that it never goes back, whoever dies.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::{UserId, VideoId};

/// What one part of a generation has done so far.
#[derive(Debug, Clone, PartialEq)]
pub struct PartProgress {
    pub video: VideoId,
    pub generation: i32,
    /// `c0003`, `audio`, or `mediaconvert`
    pub part: String,
    pub run_no: i32,
    /// Counts reports within a run; only the newest counts.
    pub n: i64,
    /// Seconds of the timeline that are encoded.
    pub done: f64,
}

/// Probe is worth this much, and so is what comes after encoding; encoding is the rest.
const PROBED: f64 = 2.0;
const ENCODED: f64 = 96.0;
/// Audio encodes some 50 times faster than a ladder of video: its seconds weigh accordingly.
const AUDIO_WEIGHT: f64 = 0.05;

/// What all parts of a video together have done in the end: [`PartProgress::done`] of something that makes everything.
pub fn whole_work(duration: f64, picture: bool, sound: bool) -> f64 {
    duration * (f64::from(u8::from(picture)) + AUDIO_WEIGHT * f64::from(u8::from(sound)))
}

/// Stores reports, newest of each part, and raises the percent of the videos concerned. Returns the videos whose
/// whole percent rose, with their owners: those are worth telling.
///
/// # Errors
/// Those of the statements.
pub async fn record_progress(
    conn: &mut PgConnection,
    reports: &[PartProgress],
) -> Result<Vec<(VideoId, UserId)>, sqlx::Error> {
    let videos: Vec<Uuid> = reports.iter().map(|r| r.video.0).collect();
    let generations: Vec<i32> = reports.iter().map(|r| r.generation).collect();
    let parts: Vec<String> = reports.iter().map(|r| r.part.clone()).collect();
    let runs: Vec<i32> = reports.iter().map(|r| r.run_no).collect();
    let numbers: Vec<i64> = reports.iter().map(|r| r.n).collect();
    let done: Vec<f64> = reports.iter().map(|r| r.done).collect();
    sqlx::query!(
        "insert into video_progress as p (video_id, generation, part, run_no, n, done)
         select * from unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::bigint[], $6::float8[]) as r
          order by 1, 2, 3
         on conflict (video_id, generation, part) do update
            set run_no = excluded.run_no, n = excluded.n, done = excluded.done
          where (excluded.run_no, excluded.n) > (p.run_no, p.n)",
        &videos,
        &generations,
        &parts,
        &runs,
        &numbers,
        &done,
    )
    .execute(&mut *conn)
    .await?;
    let rose = sqlx::query!(
        "with part as (
             select p.video_id, sum(p.done * case when p.part = 'audio' then $3::float8 else 1 end) as done
               from video_progress p join videos v on v.id = p.video_id and v.generation = p.generation
              where p.video_id = any($1) group by p.video_id
         ), percent as (
             select v.id, least($2::float8, $4 + ($2 - $4) * p.done / nullif(v.duration * (
                        case when v.has_video then 1 else 0 end + case when v.has_audio then $3 else 0 end), 0)) as now
               from videos v join part p on p.video_id = v.id where v.status = 'processing'
         )
         update videos v set processing_progress = floor(p.now) from percent p
          where v.id = p.id and floor(p.now) > v.processing_progress
         returning v.id, v.user_id",
        &videos,
        ENCODED,
        AUDIO_WEIGHT,
        PROBED,
    )
    .fetch_all(conn)
    .await?;
    Ok(rose
        .into_iter()
        .map(|r| (VideoId(r.id), UserId(r.user_id)))
        .collect())
}
