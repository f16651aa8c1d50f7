//! What a generation consists of: the renditions and chunks that probe decided.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::ids::VideoId;

/// Everything that probe decides at once.
#[derive(Debug, Clone)]
pub struct NewGeneration {
    pub video: VideoId,
    pub generation: i32,
    pub format: String,
    /// Seconds.
    pub duration: f64,
    /// Width and height as displayed.
    pub size: Option<(i32, i32)>,
    /// The grid: frames a second as a fraction, frames in all, frames in a segment.
    pub grid: Option<Grid>,
    pub has_audio: bool,
    pub probe: Value,
    pub renditions: Vec<Rendition>,
    pub chunks: Vec<Chunk>,
}

/// A constant-frame-rate grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    pub fps_num: i32,
    pub fps_den: i32,
    pub frame_count: i64,
    pub segment_frames: i32,
}

/// One rung of the ladder, or the audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    /// v1080 … v240, audio
    pub name: String,
    pub size: Option<(i32, i32)>,
    /// Bits a second.
    pub max_bitrate: i32,
}

/// A slice of the grid and the job that encodes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub chunk: i32,
    pub first_frame: i64,
    pub frames: i64,
    pub first_segment: i32,
    pub segments: i32,
    pub job: Uuid,
}

/// A rendition as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quality {
    pub rendition: String,
    /// video or audio
    pub kind: String,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub max_bitrate: i32,
    pub bandwidth: Option<i32>,
    pub average_bandwidth: Option<i32>,
    pub codecs: Option<String>,
    pub init_key: Option<String>,
    /// processing or ready
    pub status: String,
}

/// Writes the plan. Safe twice: rows of an earlier run of the same generation are replaced.
///
/// # Errors
/// Those of the statements.
pub async fn save_generation(
    conn: &mut PgConnection,
    plan: &NewGeneration,
) -> Result<(), sqlx::Error> {
    let grid = plan.grid;
    sqlx::query!(
        "update videos set original_format = $3, duration = $4, width = $5, height = $6, fps_num = $7, fps_den = $8,
                frame_count = $9, segment_frames = $10, has_video = $11, has_audio = $12, probe = $13
          where id = $1 and generation = $2",
        plan.video.0,
        plan.generation,
        plan.format,
        plan.duration,
        plan.size.map(|s| s.0),
        plan.size.map(|s| s.1),
        grid.map(|g| g.fps_num),
        grid.map(|g| g.fps_den),
        grid.map(|g| g.frame_count),
        grid.map(|g| g.segment_frames),
        grid.is_some(),
        plan.has_audio,
        plan.probe,
    )
    .execute(&mut *conn)
    .await?;
    for rendition in &plan.renditions {
        sqlx::query!(
            "insert into video_qualities (video_id, generation, rendition, kind, width, height, max_bitrate)
             values ($1, $2, $3, case when $4::int is null then 'audio' else 'video' end, $4, $5, $6)
             on conflict (video_id, generation, rendition) do update
                set width = excluded.width, height = excluded.height, max_bitrate = excluded.max_bitrate",
            plan.video.0,
            plan.generation,
            rendition.name,
            rendition.size.map(|s| s.0),
            rendition.size.map(|s| s.1),
            rendition.max_bitrate,
        )
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query!(
        "delete from video_chunks where video_id = $1 and generation = $2",
        plan.video.0,
        plan.generation
    )
    .execute(&mut *conn)
    .await?;
    for chunk in &plan.chunks {
        sqlx::query!(
            "insert into video_chunks (video_id, generation, chunk, first_frame, frames, first_segment, segments, job_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            plan.video.0,
            plan.generation,
            chunk.chunk,
            chunk.first_frame,
            chunk.frames,
            chunk.first_segment,
            chunk.segments,
            chunk.job,
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Notes the jobs that chunks are encoded by in another round.
///
/// # Errors
/// Those of the statement.
pub async fn reassign_chunks(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    chunks: &[Chunk],
) -> Result<(), sqlx::Error> {
    let numbers: Vec<i32> = chunks.iter().map(|c| c.chunk).collect();
    let jobs: Vec<Uuid> = chunks.iter().map(|c| c.job).collect();
    sqlx::query!(
        "update video_chunks c set job_id = n.job from unnest($3::int[], $4::uuid[]) as n (chunk, job)
          where c.video_id = $1 and c.generation = $2 and c.chunk = n.chunk",
        video.0,
        generation,
        &numbers,
        &jobs,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The renditions of a generation, the tallest first, the audio last. A copied picture is none of them.
///
/// # Errors
/// Those of the statement.
pub async fn qualities(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
) -> Result<Vec<Quality>, sqlx::Error> {
    sqlx::query_as!(
        Quality,
        "select rendition, kind, width, height, max_bitrate, bandwidth, average_bandwidth, codecs, init_key, status
           from video_qualities where video_id = $1 and generation = $2 and rendition <> 'source'
          order by height desc nulls last, rendition",
        video.0,
        generation,
    )
    .fetch_all(db)
    .await
}

/// The renditions of several videos, each in the generation that plays.
///
/// # Errors
/// Those of the statement.
pub async fn qualities_of(
    db: impl PgExecutor<'_>,
    videos: &[VideoId],
) -> Result<HashMap<VideoId, Vec<Quality>>, sqlx::Error> {
    let ids: Vec<Uuid> = videos.iter().map(|v| v.0).collect();
    let rows = sqlx::query!(
        "select q.video_id, q.rendition, q.kind, q.width, q.height, q.max_bitrate, q.bandwidth, q.average_bandwidth,
                q.codecs, q.init_key, q.status
           from video_qualities q join videos v on v.id = q.video_id and q.generation = coalesce((v.played ->> 'generation')::int, v.generation)
          where q.video_id = any($1) and q.rendition <> 'source' order by q.height desc nulls last, q.rendition",
        &ids,
    )
    .fetch_all(db)
    .await?;
    let mut all: HashMap<VideoId, Vec<Quality>> = HashMap::new();
    for row in rows {
        all.entry(VideoId(row.video_id)).or_default().push(Quality {
            rendition: row.rendition,
            kind: row.kind,
            width: row.width,
            height: row.height,
            max_bitrate: row.max_bitrate,
            bandwidth: row.bandwidth,
            average_bandwidth: row.average_bandwidth,
            codecs: row.codecs,
            init_key: row.init_key,
            status: row.status,
        });
    }
    Ok(all)
}

/// Stores what packaging measured and calls the rendition ready.
///
/// # Errors
/// Those of the statement.
pub async fn set_measured(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    rendition: &str,
    bandwidth: i32,
    average_bandwidth: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update video_qualities set bandwidth = $4, average_bandwidth = $5, status = 'ready'
          where video_id = $1 and generation = $2 and rendition = $3",
        video.0,
        generation,
        rendition,
        bandwidth,
        average_bandwidth,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Corrects how many frames a generation has: who did not encode it by our grid may have counted differently at its end.
///
/// # Errors
/// Those of the statement.
pub async fn set_frame_count(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    frames: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update videos set probe = jsonb_set(probe, '{plan,grid,frame_count}', to_jsonb($3::bigint)),
                frame_count = case when frame_count is not null then $3::bigint end
          where id = $1 and generation = $2",
        video.0,
        generation,
        frames,
    )
    .execute(db)
    .await?;
    Ok(())
}
