//! delete_account: somebody leaves, with all that is theirs.

use std::time::Duration;

use millrace_domain::{
    accounts::{Leftovers, User},
    email::{Message, NewEmail},
    ids::UserId,
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    flows::{self, FlowError},
};

/// Deletes an account that was locked for it: videos and uploads one by one, each in a transaction that also enqueues
/// the deletion of its objects, then the row. Safe twice, and killed anywhere: what is gone is gone, the rest is found
/// again, and the last transaction is also that of the farewell mail and of the job's end.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeleteAccount {
    pub user: UserId,
}

impl Job for DeleteAccount {
    const KIND: &'static str = "delete_account";
    const QUEUE: &'static str = "default";
    /// Nobody waits for it.
    const PRIORITY: i16 = 20;
    /// It was promised.
    const MAX_ATTEMPTS: u16 = 100;
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        loop {
            let mut conn = cx.db().acquire().await?;
            let left = Leftovers::of(&mut conn, self.user).await?;
            drop(conn);
            if left.is_empty() {
                break;
            }
            self.empty(cx, left).await?;
            if cx.cancelled().is_cancelled() {
                return Ok(Done::Snooze(Duration::from_secs(1)));
            }
        }
        cx.complete(cx.db(), async |tx| {
            let to = User::lock_leaving(&mut *tx, self.user)
                .await?
                .or_cancel("the account is gone, or is not to go")?;
            // An upload that was being completed when the account was locked.
            if !Leftovers::of(&mut *tx, self.user).await?.is_empty() {
                return Err(Failure::Retry("something came in at the last moment".into()));
            }
            let mut wake = flows::forget_files(&mut *tx, self.user).await?;
            User::erase(&mut *tx, self.user).await?;
            let key = format!("account_deleted:{}", self.user);
            let mail = NewEmail { key: &key, to: &to, message: &Message::AccountDeleted };
            wake.merge(flows::send_email(tx, mail).await?);
            Ok(wake)
        })
        .await
    }
}

impl DeleteAccount {
    /// One transaction each: who locks jobs, rows and topics of several at once gets in others' way.
    async fn empty(&self, cx: &JobContext, left: Leftovers) -> Result<(), Failure> {
        for video in left.videos {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            match flows::delete_video(&mut tx, video, self.user).await {
                Ok(wake) => {
                    tx.commit().await?;
                    wake.fire(&cx.services().notifier);
                }
                // Another run was faster.
                Err(FlowError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for upload in left.uploads {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            if let Some(wake) = flows::abort_upload(&mut tx, upload, self.user, None).await? {
                tx.commit().await?;
                wake.fire(&cx.services().notifier);
            }
        }
        Ok(())
    }
}
