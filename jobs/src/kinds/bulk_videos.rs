//! bulk_videos: the same change of many videos.

use millrace_domain::{
    ids::{UserId, VideoId},
    videos::{self, BulkChange, BulkEdit, Video},
};
use millrace_queue::{Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    Job, JobContext,
    flows::{self, FlowError},
};

/// Changes many of somebody's videos, each in a transaction of its own.
/// Safe twice: how far it is, is written with each video, and a second run goes on from there.
#[derive(Debug, Serialize, Deserialize)]
pub struct BulkVideos {
    pub edit: Uuid,
}

impl Job for BulkVideos {
    const KIND: &'static str = "bulk_videos";
    const QUEUE: &'static str = "default";
    /// Somebody watches its bar.
    const PRIORITY: i16 = -10;

    async fn run(self, cx: &JobContext) -> Outcome {
        let edit = BulkEdit::find(cx.db(), self.edit)
            .await?
            .or_cancel("the person was deleted")?;
        let done = usize::try_from(edit.done).unwrap_or_default();
        for (n, &video) in edit.videos.iter().enumerate().skip(done) {
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two videos".into()));
            }
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            let changed = change(&mut tx, video, edit.owner, &edit.change).await?;
            BulkEdit::step(&mut *tx, edit.id, changed.is_none()).await?;
            tx.commit().await?;
            changed.unwrap_or_else(Wake::none).fire(cx.notifier());
            let share = (n + 1) as f32 / edit.videos.len() as f32;
            cx.progress(share * 100.0, "changing");
        }
        cx.complete(cx.db(), async |tx| {
            BulkEdit::finish(&mut *tx, edit.id)
                .await
                .map(|()| Wake::none())
        })
        .await
    }
}

/// `None` if there is no such video (any more) to which it could be done.
async fn change(
    conn: &mut PgConnection,
    id: VideoId,
    owner: UserId,
    change: &BulkChange,
) -> Result<Option<Wake>, Failure> {
    let moved = if change.delete {
        Some(flows::trash_video(&mut *conn, id, owner).await)
    } else if change.restore {
        Some(flows::restore_video(&mut *conn, id, owner).await)
    } else {
        None
    };
    match moved {
        Some(Ok(wake)) => return Ok(Some(wake)),
        Some(Err(FlowError::NotFound)) => return Ok(None),
        Some(Err(error)) => return Err(error.into()),
        None => {}
    }
    let video = Video::lock(&mut *conn, id).await?;
    let Some(video) = video.filter(|v| v.user_id == owner && v.deleted_at.is_none()) else {
        return Ok(None);
    };
    Video::change(&mut *conn, id, owner, &change.of(&video)).await?;
    let mut wake = match Video::find(&mut *conn, id).await? {
        Some(video) if change.visibility.is_some() => {
            flows::announce_video(&mut *conn, &video).await?
        }
        _ => Wake::none(),
    };
    wake.merge(videos::video_changed(conn, id, owner).await?);
    Ok(Some(wake))
}
