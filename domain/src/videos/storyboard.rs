//! The sprites that a seek bar shows: one row per generation, once all of them are in the store.

use sqlx::PgExecutor;

use crate::{ids::VideoId, media::Layout};

/// A storyboard in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredBoard {
    pub layout: Layout,
    /// The keys of its sheets in order.
    pub sheets: Vec<String>,
}

/// Notes that a storyboard is there. `false` if there was one: that one stays, because players may have its list.
///
/// # Errors
/// Those of the statement.
pub async fn save_board(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
    board: &StoredBoard,
) -> Result<bool, sqlx::Error> {
    let layout = board.layout;
    let done = sqlx::query!(
        "insert into storyboards (video_id, generation, interval_s, shots, across, down, width, height, sheets)
         select $1, $2, $3, $4, $5, $6, $7, $8, $9 from videos where id = $1
         on conflict do nothing",
        video.0,
        generation,
        layout.interval,
        layout.shots,
        layout.across,
        layout.down,
        layout.width,
        layout.height,
        &board.sheets,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The storyboard of a generation.
///
/// # Errors
/// Those of the statement.
pub async fn board(
    db: impl PgExecutor<'_>,
    video: VideoId,
    generation: i32,
) -> Result<Option<StoredBoard>, sqlx::Error> {
    let row = sqlx::query!(
        "select interval_s, shots, across, down, width, height, sheets from storyboards
          where video_id = $1 and generation = $2",
        video.0,
        generation,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| StoredBoard {
        layout: Layout {
            interval: row.interval_s,
            shots: row.shots,
            across: row.across,
            down: row.down,
            width: row.width,
            height: row.height,
        },
        sheets: row.sheets,
    }))
}
