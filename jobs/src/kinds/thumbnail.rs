//! thumbnail: a picture that somebody uploaded for a video, made anew.

use std::time::Duration;

use millrace_domain::{
    ids::{ThumbnailId, UserId, VideoId},
    media::Class,
    videos::{self, MOST_BYTES, Thumbnail, ThumbnailStatus},
};
use millrace_queue::{Done, Failure, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, context::media_failure, flows};

/// Makes a picture of what an owner uploaded, and lets it stand for the video: that is why it was uploaded. What was
/// uploaded is deleted either way, and never shown.
/// Safe twice: keys are the run's own, and only a picture that is being processed is ended.
#[derive(Debug, Serialize, Deserialize)]
pub struct MakeThumbnail {
    pub video: VideoId,
    pub owner: UserId,
    pub thumbnail: ThumbnailId,
}

impl Job for MakeThumbnail {
    const KIND: &'static str = "thumbnail";
    const QUEUE: &'static str = "media";
    /// Somebody looks at it.
    const PRIORITY: i16 = -15;
    const TIMEOUT: Duration = Duration::from_secs(3 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let picture = Thumbnail::find(cx.db(), self.thumbnail)
            .await?
            .or_cancel("the picture was deleted")?;
        let (ThumbnailStatus::Processing, Some(upload)) = (picture.status, picture.upload_key) else {
            return Ok(Done::Completed);
        };
        let key = format!("images/{}/0/custom-{}-{}.jpg", self.video, self.thumbnail, cx.run_no);
        match self.make(cx, &upload, &key).await {
            Ok(()) => {}
            Err(Failure::Fail { code, .. }) => {
                let code = code.unwrap_or_else(|| "not_a_picture".into());
                return self.refuse(cx, upload, &code).await;
            }
            Err(Failure::Retry(_) | Failure::RetryAfter(..)) if cx.attempt >= cx.max_attempts => {
                return self.refuse(cx, upload, "processing_failed").await;
            }
            Err(other) => return Err(other),
        }
        cx.complete(cx.db(), async |tx| {
            Thumbnail::made(&mut *tx, self.thumbnail, &key).await?;
            Thumbnail::choose(&mut *tx, self.video, self.owner, self.thumbnail).await?;
            let mut wake = flows::drop_objects(tx, self.owner, vec![upload.clone()]).await?;
            wake.merge(videos::video_changed(tx, self.video, self.owner).await?);
            Ok::<_, Failure>(wake)
        })
        .await
    }
}

impl MakeThumbnail {
    async fn make(&self, cx: &JobContext, upload: &str, key: &str) -> Result<(), Failure> {
        let head = cx.storage().head(upload).await?;
        let head = head.ok_or_else(|| {
            Failure::fail("The picture did not arrive.").with_code("not_a_picture")
        })?;
        if head.size > MOST_BYTES {
            return Err(Failure::fail("The picture is too large.").with_code("picture_too_large"));
        }
        let source = cx.fetch(upload, &head.etag, head.size).await?;
        let transcoder = &cx.services().transcoder;
        let made = transcoder.picture(source.path(), &cx.cancelled()).await;
        let made = made.map_err(|error| match error.class {
            // Whatever a decoder says of a picture this small, the picture is at fault.
            Class::Input(_) | Class::Crash | Class::Resource => {
                Failure::fail("This picture cannot be read.").with_code("not_a_picture")
            }
            _ => media_failure(error),
        })?;
        cx.storage().put_file(key, made.path(), "image/jpeg").await?;
        Ok(())
    }

    async fn refuse(&self, cx: &JobContext, upload: String, code: &str) -> Outcome {
        cx.complete(cx.db(), async |tx| {
            Thumbnail::refused(&mut *tx, self.thumbnail, code).await?;
            let mut wake = flows::drop_objects(tx, self.owner, vec![upload.clone()]).await?;
            wake.merge(videos::video_changed(tx, self.video, self.owner).await?);
            Ok::<_, Failure>(wake)
        })
        .await
    }
}
