//! sweep_uploads: uploads of which nothing was heard for too long are over, and what they left in the store goes.

use std::time::{Duration, SystemTime};

use millrace_domain::{
    storage::OpenMultipart,
    uploads::{NewUpload, Upload},
};
use millrace_queue::{Done, Failure, Outcome, Schedule};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Job, JobContext, flows};

/// Ends uploads that were abandoned, and drops uploads in parts at the store that no upload of ours waits for (the
/// process died between the store's answer and the row, or an abort could not reach the store).
/// Safe twice: each upload is ended under its row's lock, which also decides when it is completed at the same moment,
/// and what the store drops is gone when it is asked again.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepUploads {
    /// Seconds that a stray of the store must be old. Its row may only just be on its way.
    #[serde(default = "a_day")]
    pub strays_after_s: u64,
}

fn a_day() -> u64 {
    24 * 60 * 60
}

impl Default for SweepUploads {
    fn default() -> Self {
        Self { strays_after_s: a_day() }
    }
}

impl Job for SweepUploads {
    const KIND: &'static str = "sweep_uploads";
    const QUEUE: &'static str = "default";
    /// The next hour brings another.
    const MAX_ATTEMPTS: u16 = 5;
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);

    fn schedule() -> Option<Schedule> {
        // Every hour, and not at its beginning, when everybody else's jobs come.
        Some(Schedule::new(Self::KIND, "0 17 * * * *", &Self::default()))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let expired = expire(cx).await?;
        let strays = drop_strays(cx, Duration::from_secs(self.strays_after_s)).await?;
        if expired + strays > 0 {
            tracing::info!(expired, strays, "swept abandoned uploads");
        }
        Ok(Done::CompletedWith(json!({ "expired": expired, "strays": strays })))
    }
}

/// One transaction each: their objects are deleted by jobs of their own, and their owners are told.
async fn expire(cx: &JobContext) -> Result<usize, Failure> {
    let mut expired = 0;
    while !cx.cancelled().is_cancelled() {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        let Some((upload, wake)) = flows::expire_upload(&mut tx).await? else {
            break;
        };
        tx.commit().await?;
        wake.fire(&cx.services().notifier);
        tracing::debug!(upload.id = %upload, "an upload was abandoned");
        expired += 1;
    }
    Ok(expired)
}

async fn drop_strays(cx: &JobContext, age: Duration) -> Result<usize, Failure> {
    let Some(before) = SystemTime::now().checked_sub(age) else {
        return Ok(0);
    };
    let mut dropped = 0;
    let mut after = None;
    while !cx.cancelled().is_cancelled() {
        let page = cx.storage().list_multiparts("raw/", after).await?;
        let old = page.uploads.into_iter().filter(|u| u.begun_at <= before);
        // What has another key than ours was not made by us.
        let ours = |u: OpenMultipart| NewUpload::id_of(&u.key).map(|id| (id, u));
        let (ids, old): (Vec<_>, Vec<_>) = old.filter_map(ours).unzip();
        let awaited = Upload::multiparts_awaited(cx.db(), &ids).await?;
        for stray in old.iter().filter(|u| !awaited.contains(&u.upload_id)) {
            cx.storage().abort_multipart(&stray.key, &stray.upload_id).await?;
            dropped += 1;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(dropped)
}
