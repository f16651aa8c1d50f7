//! The end of copies: what was watched while the ladder was made is dropped when it is half, or not needed any more.

use std::time::Duration;

use millrace_bus::Notifier;
use millrace_domain::videos::{self, Video};
use millrace_queue::Wake;
use sqlx::{PgConnection, PgPool};

use super::{FlowError, video::sweep};
use crate::plan::group;

/// How many videos [`drop_old_copies`] looks at in one go.
const BATCH: i64 = 100;

/// Drops the copies of a video's present generation: the rows now, the objects by a job. Fire the [`Wake`] after commit.
///
/// # Errors
/// [`FlowError`]
pub async fn drop_copies(conn: &mut PgConnection, video: &Video) -> Result<Wake, FlowError> {
    let folders = videos::drop_copies(&mut *conn, video.id, video.generation).await?;
    if folders.is_empty() {
        return Ok(Wake::none());
    }
    let writers = group(video.id, video.generation);
    let mut wake = sweep(conn, video.user_id, Some(writers), folders).await?;
    wake.merge(videos::video_changed(conn, video.id, video.user_id).await?);
    Ok(wake)
}

/// Drops the copies of all videos that have been ready for `age`, each in a transaction of its own, and says of how
/// many. Whoever began to watch one within that time has ended.
///
/// # Errors
/// [`FlowError`]; what was dropped before it stays dropped.
pub async fn drop_old_copies(
    db: &PgPool,
    notifier: &Notifier,
    age: Duration,
) -> Result<usize, FlowError> {
    let mut dropped = 0;
    loop {
        let old = videos::with_old_copies(db, age, BATCH).await?;
        for id in &old {
            let mut tx = millrace_bus::begin(db).await?;
            let Some(video) = Video::lock(&mut tx, *id).await? else {
                continue;
            };
            let wake = drop_copies(&mut tx, &video).await?;
            tx.commit().await?;
            wake.fire(notifier);
            dropped += 1;
        }
        if old.is_empty() {
            return Ok(dropped);
        }
    }
}
