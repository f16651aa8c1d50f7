//! Videos without the API: a source in the store and a row with its pipeline, as a completed upload leaves them.
//! For tests of workers alone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use millrace_domain::{
    accounts::{NewUser, Role, User},
    ids::{UploadId, UserId, VideoId},
    videos::{NewVideo, Status, Video, Visibility},
};

use crate::{Clip, Stack, until};

/// A video that is being made.
#[derive(Debug, Clone, Copy)]
pub struct Film {
    pub id: VideoId,
    pub owner: UserId,
}

impl Film {
    /// Stores `clip` and starts its pipeline.
    ///
    /// # Errors
    /// Those of the store and the database.
    pub async fn start(stack: &Stack, clip: &Clip) -> Result<Self> {
        let bytes = tokio::fs::read(clip.file().await?).await?;
        Self::of_bytes(stack, bytes).await
    }

    /// The same with a file of these bytes.
    ///
    /// # Errors
    /// Those of the store and the database.
    pub async fn of_bytes(stack: &Stack, bytes: Vec<u8>) -> Result<Self> {
        let owner = owner(stack).await?;
        let upload = UploadId::new();
        let key = format!("raw/{upload}/source");
        stack.storage.put(&key, bytes, "video/mp4").await?;
        let head = stack
            .storage
            .head(&key)
            .await?
            .context("the source is not in the store")?;
        let new = NewVideo {
            id: VideoId::new(),
            user_id: owner,
            upload_id: upload,
            title: "A film".to_owned(),
            description: String::new(),
            visibility: Visibility::Public,
            original_key: key,
            original_etag: head.etag,
            original_name: "film.mp4".to_owned(),
            file_size: i64::try_from(head.size)?,
        };
        let mut tx = stack.db.begin().await?;
        let wake = millrace_jobs::flows::start_video(&mut tx, &new)
            .await?
            .context("the upload was used before")?;
        tx.commit().await?;
        wake.fire(&stack.notifier);
        Ok(Self { id: new.id, owner })
    }

    /// Its row.
    ///
    /// # Errors
    /// Those of the database, and that it is gone.
    pub async fn row(&self, stack: &Stack) -> Result<Video> {
        Video::find(&stack.db, self.id)
            .await?
            .context("the video is gone")
    }

    /// Waits until it is ready or failed.
    ///
    /// # Errors
    /// That it is neither within `deadline`.
    pub async fn settled(&self, stack: &Stack, deadline: Duration) -> Result<Video> {
        let settled = until("the video is ready or failed", deadline, async || {
            Ok(Some(self.row(stack).await?).filter(|video| video.status != Status::Processing))
        });
        match settled.await {
            Ok(video) => Ok(video),
            Err(error) => Err(error.context(stack.jobs().await?)),
        }
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// That it failed, or is not ready within `deadline`.
    pub async fn ready(&self, stack: &Stack, deadline: Duration) -> Result<Video> {
        let video = self.settled(stack, deadline).await?;
        let (code, message) = (video.error_code.as_deref(), video.error_message.as_deref());
        anyhow::ensure!(
            video.status == Status::Ready,
            "the video failed: {code:?} {message:?}\n{}",
            stack.jobs().await?
        );
        Ok(video)
    }

    /// Waits until `count` segments of pictures are stored.
    ///
    /// # Errors
    /// That they are not within `deadline`.
    pub async fn segments_stored(
        &self,
        stack: &Stack,
        count: i64,
        deadline: Duration,
    ) -> Result<i64> {
        until("enough segments are stored", deadline, async || {
            let stored: i64 = sqlx::query_scalar(
                "select count(*) from segments where video_id = $1 and rendition not in ('audio', 'source')",
            )
            .bind(self.id.0)
            .fetch_one(&stack.db)
            .await?;
            Ok((stored >= count).then_some(stored))
        })
        .await
    }
}

async fn owner(stack: &Stack) -> Result<UserId> {
    let name = format!(
        "person{}",
        &UserId::new().to_string().replace('-', "")[20..]
    );
    let email = format!("{name}@example.org");
    let new = NewUser {
        username: &name,
        email: &email,
        password_hash: "none",
        role: Role::User,
        language: "en",
    };
    Ok(User::create(&stack.db, new).await?.id)
}
