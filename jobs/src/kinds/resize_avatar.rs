//! resize_avatar: a person's picture in the sizes in which it is shown.

use std::time::Duration;

use millrace_domain::{
    accounts::{Avatar, AvatarStatus, picture},
    ids::{AvatarId, UserId},
    storage::StorageError,
};
use millrace_queue::{Done, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;

use crate::{Job, JobContext, flows};

/// Makes a picture small and shows it. Safe twice: keys derive from the picture, a second run stores the same bytes
/// under them, and only a picture that is being processed is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct ResizeAvatar {
    pub avatar: AvatarId,
    pub user: UserId,
}

impl Job for ResizeAvatar {
    const KIND: &'static str = "resize_avatar";
    const QUEUE: &'static str = "default";
    /// Somebody looks at the page.
    const PRIORITY: i16 = -10;
    const TIMEOUT: Duration = Duration::from_secs(60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let avatar = Avatar::find(cx.db(), self.avatar, self.user)
            .await?
            .or_cancel("the picture was given up")?;
        let source = Avatar::source_key(self.avatar);
        if avatar.status != AvatarStatus::Processing {
            // A run before this one was killed between its commit and this.
            cx.storage().delete_keys(&[source]).await?;
            return Ok(Done::Completed);
        }
        let file = match cx.storage().get(&source, picture::MAX_BYTES).await {
            Err(StorageError::NotFound(_)) => return self.refuse(cx, "picture_unreadable").await,
            other => other?,
        };
        let made = match spawn_blocking(move || picture::make_small(&file)).await? {
            Ok(made) => made,
            Err(error) => {
                tracing::info!(avatar.id = %self.avatar, %error, "refused a picture");
                return self.refuse(cx, error.code()).await;
            }
        };
        for (edge, bytes) in made {
            let key = Avatar::key(self.avatar, edge);
            cx.storage().put(&key, bytes, "image/jpeg").await?;
        }
        let mut tx = millrace_bus::begin(cx.db()).await?;
        let wake = flows::show_avatar(&mut tx, self.user, Some(self.avatar)).await?;
        tx.commit().await?;
        wake.fire(&cx.services().notifier);
        // What cameras write into pictures, such as where they were taken, must not stay.
        cx.storage().delete_keys(&[source]).await?;
        Ok(Done::Completed)
    }
}

impl ResizeAvatar {
    async fn refuse(&self, cx: &JobContext, code: &str) -> Outcome {
        let source = Avatar::source_key(self.avatar);
        cx.storage().delete_keys(&[source]).await?;
        cx.complete(cx.db(), async |tx| {
            Avatar::refuse(&mut *tx, self.avatar, code).await.map(|()| Wake::none())
        })
        .await
    }
}
