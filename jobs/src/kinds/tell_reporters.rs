//! tell_reporters: who reported something hears what was decided.

use std::time::Duration;

use millrace_domain::{
    email::Message,
    ids::{CaseId, VideoId},
    moderation::{Action, Case},
    notifications::{Kind, Notice},
    reports::{self, Target},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{Job, JobContext, flows};

/// Reports of one transaction: some tens of milliseconds, in which the topics of their people are locked.
const BATCH: i64 = 1_000;

/// Tells all who reported a thing that their case is settled, and whether something was done; not what, and not by whom.
/// Safe twice: a batch and how far it goes are one transaction under the lease, and nobody is told of a case twice anyway.
#[derive(Debug, Serialize, Deserialize)]
pub struct TellReporters {
    pub case: CaseId,
}

impl Job for TellReporters {
    const KIND: &'static str = "tell_reporters";
    const QUEUE: &'static str = "default";
    /// With other news that many people get.
    const PRIORITY: i16 = 40;
    const TIMEOUT: Duration = Duration::from_secs(10 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let case = Case::find(cx.db(), self.case).await?.or_cancel("the case is gone")?;
        let action = case.action.or_cancel("the case is not settled")?;
        let notice = Notice {
            upheld: Some(action != Action::Dismiss),
            video: (case.target == Target::Video).then_some(VideoId(case.target_id)),
            ..Notice::plain(Kind::Report, format!("report:{}", case.id))
        };
        let message = Message::ReportDecided { case: case.id };
        let mut before: Option<Uuid> = match &cx.checkpoint {
            Some(saved) => serde_json::from_value(saved["before"].clone())?,
            None => None,
        };
        loop {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            let batch = reports::reporters_of(&mut *tx, case.id, before, BATCH).await?;
            let Some((last, _)) = batch.last() else {
                return Ok(Done::Completed);
            };
            before = Some(*last);
            cx.save_checkpoint(&mut tx, json!({ "before": before })).await?;
            cx.advance(&mut tx).await?;
            let people: Vec<_> = batch.iter().map(|(_, person)| *person).collect();
            let wake = flows::notify_all(&mut tx, &people, &notice, &message).await?;
            tx.commit().await?;
            wake.fire(&cx.services().notifier);
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two batches".into()));
            }
        }
    }
}
