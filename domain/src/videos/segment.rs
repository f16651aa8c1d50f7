//! Closed segments. A row is inserted after its object is stored, under the lease of the job that made it; so a
//! playlist never names what is not there, and a second run knows where to resume.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, PgExecutor};

use crate::{ids::VideoId, media::playlist};

/// A segment that was just stored.
#[derive(Debug, Clone)]
pub struct NewSegment {
    pub video: VideoId,
    pub generation: i32,
    pub rendition: String,
    /// Counts from 0 over the whole rendition.
    pub n: i32,
    pub chunk: i32,
    pub run_no: i32,
    pub key: String,
    pub init_key: String,
    pub init_hash: Vec<u8>,
    /// RFC 6381, from the init segment.
    pub codecs: String,
    /// Decode time of the first sample and length, in 1/timescale s.
    pub start: i64,
    pub length: i64,
    pub timescale: i32,
    pub bytes: i32,
    /// From the segment's start through its first key frame.
    pub keyframe_bytes: Option<i32>,
}

/// A segment as playlists need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub n: i32,
    pub chunk: i32,
    pub key: String,
    pub init_key: String,
    pub start: i64,
    pub length: i64,
    pub timescale: i32,
    pub bytes: i32,
    pub keyframe_bytes: Option<i32>,
}

impl From<&Segment> for playlist::Segment {
    fn from(segment: &Segment) -> Self {
        Self {
            n: segment.n,
            key: segment.key.clone(),
            length: segment.length,
            timescale: segment.timescale,
            bytes: segment.bytes,
            init_key: segment.init_key.clone(),
            keyframe_bytes: segment.keyframe_bytes,
        }
    }
}

/// Inserts a segment and, with its rendition's first, the rendition's codecs and init segment. `false` if the
/// segment is there already, from an earlier run: that one stays, because players may have it.
///
/// The rendition's first init segment names all that are equal to it, so that a player loads one; only different
/// bytes keep their own key, which playlists show as a discontinuity.
///
/// # Errors
/// Those of the statements.
pub async fn insert_segment(
    conn: &mut PgConnection,
    new: &NewSegment,
) -> Result<bool, sqlx::Error> {
    // First, because two chunks may bring the first segment of a rendition at once: the second waits here, and its
    // next statement sees the winner's key. Later segments find the row taken and lock nothing.
    sqlx::query!(
        "update video_qualities set codecs = $4, init_key = $5, init_hash = $6
          where video_id = $1 and generation = $2 and rendition = $3 and init_key is null",
        new.video.0,
        new.generation,
        new.rendition,
        new.codecs,
        new.init_key,
        new.init_hash,
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "insert into segments (video_id, generation, rendition, n, chunk, run_no, key, init_key, start, length,
                               timescale, bytes, keyframe_bytes)
         values ($1, $2, $3, $4, $5, $6, $7,
                 coalesce((select init_key from video_qualities where video_id = $1 and generation = $2
                              and rendition = $3 and init_hash = $14), $8),
                 $9, $10, $11, $12, $13)
         on conflict do nothing",
        new.video.0,
        new.generation,
        new.rendition,
        new.n,
        new.chunk,
        new.run_no,
        new.key,
        new.init_key,
        new.start,
        new.length,
        new.timescale,
        new.bytes,
        new.keyframe_bytes,
        new.init_hash,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The key of the rendition's init segment, if it has one with exactly these bytes.
///
/// # Errors
/// Those of the statement.
pub async fn init_key(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    rendition: &str,
    hash: &[u8],
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select init_key as "key!" from video_qualities
            where video_id = $1 and generation = $2 and rendition = $3 and init_hash = $4 and init_key is not null"#,
        video.0,
        generation,
        rendition,
        hash,
    )
    .fetch_optional(db)
    .await
}

/// All segments of a rendition in order; gaps are possible while chunks are being made.
///
/// # Errors
/// Those of the statement.
pub async fn segments(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    rendition: &str,
) -> Result<Vec<Segment>, sqlx::Error> {
    sqlx::query_as!(
        Segment,
        "select n, chunk, key, init_key, start, length, timescale, bytes, keyframe_bytes
           from segments where video_id = $1 and generation = $2 and rendition = $3 order by n",
        video.0,
        generation,
        rendition,
    )
    .fetch_all(db)
    .await
}

/// The segments of a rendition from the first one up to the first gap: what can be played, and where a second run
/// resumes.
///
/// # Errors
/// Those of the statement.
pub async fn leading_segments(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    rendition: &str,
) -> Result<Vec<Segment>, sqlx::Error> {
    let all = segments(db, video, generation, rendition).await?;
    let gapless = all.into_iter().zip(0..).take_while(|(s, n)| s.n == *n);
    Ok(gapless.map(|(segment, _)| segment).collect())
}

/// How many segments each rendition has from `first` on without a gap, within `count` of them: where a second run
/// of a chunk resumes.
///
/// # Errors
/// Those of the statement.
pub async fn segments_of_chunk(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    first: i32,
    count: i32,
) -> Result<HashMap<String, i32>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select rendition, count(*)::int as "done!" from (
               select rendition, n, row_number() over (partition by rendition order by n) - 1 as place
                 from segments
                where video_id = $1 and generation = $2 and n >= $3 and n < $3 + $4
                   and rendition not in ('audio', 'source')
           ) s where n = $3 + place group by rendition"#,
        video.0,
        generation,
        first,
        count,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|r| (r.rendition, r.done)).collect())
}

/// Which segments of a generation are in the store.
#[derive(Debug, Clone, Default)]
pub struct Stored(HashMap<String, HashSet<i32>>);

impl Stored {
    /// What the rows say.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn of(
        db: impl PgExecutor<'_>,
        video: VideoId,
        generation: i32,
    ) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query!(
            "select rendition, n from segments where video_id = $1 and generation = $2",
            video.0,
            generation,
        )
        .fetch_all(db)
        .await?;
        let mut stored = Self::default();
        for row in rows {
            stored.0.entry(row.rendition).or_default().insert(row.n);
        }
        Ok(stored)
    }

    /// The rendition has all `count` segments from `first` on.
    pub fn has(&self, rendition: &str, first: i32, count: i32) -> bool {
        let stored = self.0.get(rendition);
        (first..first + count).all(|n| stored.is_some_and(|stored| stored.contains(&n)))
    }
}

/// What can be played of a generation that is being made.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Window {
    /// Seconds from the start that every rendition has without a gap.
    pub seconds: f64,
    /// How many segments of each rendition lie within that time.
    pub segments: HashMap<String, i32>,
}

/// The contiguous prefix that video and audio both have. Chunks end in any order, so a rendition may have later
/// segments that nobody can reach yet.
///
/// # Errors
/// Those of the statement.
pub async fn window(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
) -> Result<Window, sqlx::Error> {
    let rows = sqlx::query!(
        r#"with place as (
               select rendition, n, length::float8 / timescale as seconds,
                      row_number() over (partition by rendition order by n) - 1 as place
                 from segments where video_id = $1 and generation = $2 and rendition <> 'source'
           ), prefix as (
               select rendition, n, sum(seconds) over (partition by rendition order by n) as until
                 from place where n = place
           )
           select q.rendition, coalesce(array_agg(p.until order by p.n) filter (where p.n is not null), '{}')
                      as "ends!: Vec<f64>"
             from video_qualities q left join prefix p on p.rendition = q.rendition
            where q.video_id = $1 and q.generation = $2 and q.rendition <> 'source' group by q.rendition"#,
        video.0,
        generation,
    )
    .fetch_all(db)
    .await?;
    let seconds = rows
        .iter()
        .map(|r| r.ends.last().copied().unwrap_or_default())
        .fold(f64::INFINITY, f64::min);
    if !seconds.is_finite() || seconds <= 0.0 {
        return Ok(Window::default());
    }
    // Audio segments end up to one AAC frame (21 ms at 48 kHz) off the video's boundary; both still count.
    let reach = seconds + 0.1;
    let segments = rows
        .into_iter()
        .map(|r| {
            let inside = r.ends.iter().take_while(|&&end| end <= reach).count();
            (r.rendition, i32::try_from(inside).unwrap_or(i32::MAX))
        })
        .collect();
    Ok(Window { seconds, segments })
}

/// Marks a video playable once every rendition of the ladder, or the copied picture with the sound, has its first
/// segment; `true` if there is another playlist to watch since just now. That of the copy is preferred, because it has
/// the whole video soon.
///
/// # Errors
/// Those of the statement.
pub async fn mark_playable(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "with rendition as (
             select q.rendition as name, exists (select from segments s where s.video_id = $1 and s.generation = $2
                                                    and s.rendition = q.rendition and s.n = 0) as begun
               from video_qualities q where q.video_id = $1 and q.generation = $2
         ), list as (
             select case when bool_or(begun) filter (where name = 'source')
                              and coalesce(bool_and(begun) filter (where name = 'audio'), true) then 'remux'
                         when bool_and(begun) filter (where name <> 'source') then 'event' end as name
               from rendition
         )
         update videos v set stream = list.name, playable_at = coalesce(v.playable_at, now())
           from list where v.id = $1 and v.generation = $2 and v.status = 'processing' and list.name is not null
            and v.stream is distinct from list.name",
        video.0,
        generation,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
