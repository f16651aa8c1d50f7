//! Trying again: another round of a generation, or another generation.

use sqlx::{PgConnection, PgExecutor};

use super::Video;
use crate::ids::VideoId;

impl Video {
    /// Begins another round of a failed video: what is stored stays, and so does the percent. `None` if it has not
    /// failed. Progress of open work is forgotten, because that work is lost, and because run numbers begin anew.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn resume(conn: &mut PgConnection, id: VideoId) -> Result<Option<Self>, sqlx::Error> {
        let resumed = sqlx::query!(
            "update videos set status = 'processing', error_code = null, error_message = null, round = round + 1,
                    stage = case when probe is null then 'queued' else 'encoding' end
              where id = $1 and status = 'failed'",
            id.0,
        )
        .execute(&mut *conn)
        .await?;
        if resumed.rows_affected() == 0 {
            return Ok(None);
        }
        sqlx::query!("delete from video_progress where video_id = $1", id.0)
            .execute(&mut *conn)
            .await?;
        Self::find(conn, id).await
    }

    /// Begins another generation of a failed video, which keeps nothing of the last, and returns its number; `None` if
    /// it has not failed.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn restart(db: impl PgExecutor<'_>, id: VideoId) -> Result<Option<i32>, sqlx::Error> {
        sqlx::query_scalar!(
            "update videos set status = 'processing', stage = 'queued', processing_progress = 0, error_code = null,
                    error_message = null, playable_at = null, stream = null, file_key = null, thumbnail_key = null, generation = generation + 1,
                    round = 1
              where id = $1 and status = 'failed' returning generation",
            id.0,
        )
        .fetch_optional(db)
        .await
    }

    /// How a run of one of its jobs is called in the keys that it writes: no other run, of any round, has that name.
    pub fn run_name(&self, run_no: i32) -> String {
        match self.round {
            1 => run_no.to_string(),
            round => format!("{run_no}r{round}"),
        }
    }
}
