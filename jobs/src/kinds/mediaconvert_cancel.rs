//! mediaconvert_cancel: MediaConvert is told that nobody needs it any more.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use millrace_domain::mediaconvert::{ConvertError, Intent, JobStatus, MediaConvert};
use millrace_queue::{Done, Failure, Outcome};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Job, JobContext, mediaconvert::convert_failure};

/// A call that was under way when the job was given up has reached them by then, or never will.
const UNDER_WAY: TimeDelta = TimeDelta::minutes(2);

/// Stops a job at MediaConvert, waits until it has ended, and deletes what it wrote; what it finished all the same is kept
/// for another try. Deletions of videos wait for it. It belongs to no group: nobody cancels a cancellation.
/// Safe twice: what has ended stays ended, and a folder that is empty is emptied again at no cost.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaconvertCancel {
    pub intent: Uuid,
}

impl Job for MediaconvertCancel {
    const KIND: &'static str = "mediaconvert_cancel";
    const QUEUE: &'static str = "default";
    /// It costs money as long as it runs.
    const MAX_ATTEMPTS: u16 = 500;

    async fn run(self, cx: &JobContext) -> Outcome {
        let Some(intent) = Intent::find(cx.db(), self.intent).await? else {
            return Ok(Done::Completed);
        };
        let Some(ended) = end(cx, intent).await? else {
            return Ok(Done::Snooze(Duration::from_secs(2)));
        };
        if ended.status != JobStatus::Complete {
            let outputs = ended.outputs();
            cx.storage().delete_prefix(&outputs.segments()).await?;
            cx.storage().delete_prefix(&outputs.pictures()).await?;
        }
        Ok(Done::Completed)
    }
}

/// The row once it has ended; `None` while it has not.
async fn end(cx: &JobContext, intent: Intent) -> Result<Option<Intent>, Failure> {
    if intent.ended_at.is_some() {
        return Ok(Some(intent));
    }
    let Some(id) = &intent.external_id else {
        return unanswered(cx, intent).await;
    };
    let converter = cx.converter()?;
    match converter.cancel(id).await {
        // Not found: it has ended. The look says how.
        Ok(()) | Err(ConvertError::NotFound) => {}
        Err(error) => return Err(convert_failure(error)),
    }
    look(cx, converter, &intent, id).await
}

async fn look(
    cx: &JobContext,
    converter: &MediaConvert,
    intent: &Intent,
    id: &str,
) -> Result<Option<Intent>, Failure> {
    match converter.get(id).await {
        Ok(seen) => {
            let mut conn = cx.db().acquire().await?;
            Intent::hear(&mut conn, intent.id, &seen).await?;
        }
        Err(ConvertError::NotFound) => Intent::lose(cx.db(), intent.id).await?,
        Err(error) => return Err(convert_failure(error)),
    }
    let now = Intent::find(cx.db(), intent.id).await?;
    Ok(now.filter(|now| now.ended_at.is_some()))
}

/// Nobody knows their id. If nobody has called, nobody will: the row says so now. Otherwise they are searched for it.
async fn unanswered(cx: &JobContext, intent: Intent) -> Result<Option<Intent>, Failure> {
    let Some(asked) = intent.asked_at else {
        if !Intent::give_up(cx.db(), intent.id).await? {
            return Ok(None);
        }
        return Ok(Intent::find(cx.db(), intent.id).await?);
    };
    let converter = cx.converter()?;
    if let Some(seen) = converter.find(intent.id, asked).await.map_err(convert_failure)? {
        let mut conn = cx.db().acquire().await?;
        Intent::hear(&mut conn, intent.id, &seen).await?;
        return Ok(None);
    }
    if Utc::now().signed_duration_since(asked) > UNDER_WAY {
        Intent::lose(cx.db(), intent.id).await?;
        return Ok(Intent::find(cx.db(), intent.id).await?);
    }
    Ok(None)
}
