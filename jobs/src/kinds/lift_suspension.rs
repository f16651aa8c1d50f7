//! lift_suspension: somebody has been locked out for long enough.

use millrace_domain::{
    audit::Actor,
    ids::DecisionId,
    moderation::{self, LiftedFor},
};
use millrace_queue::{Done, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    flows::{self, ModerationError},
};

/// Lets a person in again when their suspension is over.
/// Safe twice: only a decision that still stands is taken back, and the effect commits with the job's end.
#[derive(Debug, Serialize, Deserialize)]
pub struct LiftSuspension {
    pub decision: DecisionId,
}

impl Job for LiftSuspension {
    const KIND: &'static str = "lift_suspension";
    const QUEUE: &'static str = "default";
    /// Somebody may sit and wait.
    const PRIORITY: i16 = -20;
    const MAX_ATTEMPTS: u16 = 20;

    async fn run(self, cx: &JobContext) -> Outcome {
        let decision = moderation::decision(cx.db(), self.decision).await?;
        // An operator may run it early; and clocks differ.
        if let Some(until) = decision.filter(|d| d.stands()).and_then(|d| d.until)
            && let Ok(left) = (until - chrono::Utc::now()).to_std()
        {
            return Ok(Done::Snooze(left));
        }
        cx.complete(cx.db(), async |tx| {
            let lifted =
                flows::lift_decision(tx, &Actor::SYSTEM, self.decision, LiftedFor::Time, "").await;
            match lifted {
                // Taken back before, or gone with the account.
                Err(ModerationError::Decided | ModerationError::NotFound) => Ok(Wake::none()),
                other => other,
            }
        })
        .await
    }
}
