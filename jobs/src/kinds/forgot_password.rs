//! forgot_password: a link to choose another password, for whoever was meant.

use std::time::Duration;

use millrace_domain::{accounts::User, email::Message, ids::UserId};
use millrace_queue::{Done, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// Queues the mail with the link. It is enqueued also where nobody was meant, and ends then without one: whoever asks
/// cannot tell by the time that the answer takes whether there is such an account. Safe twice: the mail is queued in the
/// transaction that ends the job.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForgotPassword {
    pub user: Option<UserId>,
}

impl Job for ForgotPassword {
    const KIND: &'static str = "forgot_password";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(30);

    async fn run(self, cx: &JobContext) -> Outcome {
        let Some(user) = self.user else {
            return Ok(Done::Completed);
        };
        let user = User::find(cx.db(), user)
            .await?
            .or_cancel("the account is gone")?;
        cx.complete(cx.db(), async |tx| {
            let message = Message::ResetPassword { user: user.id };
            flows::mail_account(tx, &user, &message).await
        })
        .await
    }
}
