//! What a video leaves in the store, and who is to delete it.

use sqlx::{PgConnection, PgExecutor};

use super::{Video, played::folder};

impl Video {
    /// Deletes the row and all that hangs on it, and dooms its objects: a job deletes what `doomed_objects` names.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn delete(conn: &mut PgConnection, video: &Self) -> Result<(), sqlx::Error> {
        doom(&mut *conn, &video.prefixes()).await?;
        sqlx::query!("delete from video_progress where video_id = $1", video.id.0)
            .execute(&mut *conn)
            .await?;
        sqlx::query!("delete from videos where id = $1", video.id.0)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Where all objects of this video lie.
    pub fn prefixes(&self) -> Vec<String> {
        let played = self.played.as_ref().map(|p| p.0.original_key.as_str());
        let mut all: Vec<String> = [Some(self.original_key.as_str()), played]
            .into_iter()
            .flatten()
            .filter_map(folder)
            .collect();
        all.dedup();
        all.extend([format!("hls/{}/", self.id), format!("images/{}/", self.id)]);
        all
    }

    /// Where the objects of its present generation lie, the source not among them.
    pub fn prefixes_of_generation(&self) -> Vec<String> {
        ["hls", "images"]
            .map(|kind| format!("{kind}/{}/{}/", self.id, self.generation))
            .to_vec()
    }
}

/// Writes down that nothing below these prefixes is needed any more.
///
/// # Errors
/// Those of the statement.
pub async fn doom(db: impl PgExecutor<'_>, prefixes: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into doomed_objects (prefix) select unnest($1::text[]) on conflict do nothing",
        prefixes
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The objects below these prefixes are gone.
///
/// # Errors
/// Those of the statement.
pub async fn forget_doomed(
    db: impl PgExecutor<'_>,
    prefixes: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from doomed_objects where prefix = any($1)",
        prefixes
    )
    .execute(db)
    .await?;
    Ok(())
}
