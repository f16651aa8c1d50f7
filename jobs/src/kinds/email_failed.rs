//! email_failed: a mail whose job is spent.

use std::time::Duration;

use millrace_domain::{email::Email, ids::EmailId};
use millrace_queue::{Done, FailureNote, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext};

/// Says in the row of a mail that nobody tries to send it any more, unless its last run said how it ended. The engine
/// inserts it in the transaction that ends the job of the mail, whoever ended it: its attempts are spent, it was cancelled,
/// or it was quarantined. Safe twice: the row of an end stays as it is. An operator who lets the job run again finds a mail
/// that may be sent.
#[derive(Debug, Serialize, Deserialize)]
pub struct EmailFailed {
    pub email: EmailId,
    /// Filled in by the engine.
    #[serde(rename = "_failure", default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureNote>,
}

impl Job for EmailFailed {
    const KIND: &'static str = "email_failed";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);

    async fn run(self, cx: &JobContext) -> Outcome {
        let why = self.failure.and_then(|note| note.reason);
        let why = why.as_deref().unwrap_or("its job ended without sending it");
        Email::given_up(cx.db(), self.email, why).await?;
        Ok(Done::Completed)
    }
}
