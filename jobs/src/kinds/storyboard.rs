//! storyboard: small pictures of a whole video for the seek bar, and a few to choose the poster from.

use std::time::Duration;

use millrace_domain::{
    ids::{ThumbnailId, VideoId},
    media::StoryboardSpec,
    videos::{self, Status, StoredBoard, Thumbnail, Video},
};
use millrace_queue::{Done, OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, context::media_failure, plan::Decided};

/// Makes the storyboard of a video, and pictures that its poster can be chosen from. Nothing waits for it, and its
/// failure costs nothing else: a seek bar without pictures is one.
/// Safe twice: keys are the run's own, and the first whole storyboard stays.
#[derive(Debug, Serialize, Deserialize)]
pub struct Storyboard {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for Storyboard {
    const KIND: &'static str = "storyboard";
    const QUEUE: &'static str = "media";
    const MAX_ATTEMPTS: u16 = 3;
    /// After every chunk: those make the video.
    const PRIORITY: i16 = 10;
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        // Unlike the others it may come when the video is ready already.
        let video = Video::find(cx.db(), self.video)
            .await?
            .or_cancel("the video was deleted")?;
        if video.generation != self.generation || video.status == Status::Failed {
            return Ok(Done::Completed);
        }
        let probe = Decided::of(&video)?.probe;
        let known = videos::board(cx.db(), self.video, self.generation).await?;
        if probe.video.is_none() || known.is_some() {
            return Ok(Done::Completed);
        }
        let source = cx.source(&video).await?;
        let spec = StoryboardSpec {
            source: source.path().to_owned(),
            probe,
        };
        let made = cx
            .services()
            .transcoder
            .storyboard(&spec, &cx.cancelled())
            .await
            .map_err(media_failure)?;
        let folder = format!("images/{}/{}", video.id, video.generation);
        let run = video.run_name(cx.run_no);
        let mut sheets = Vec::new();
        for (n, sheet) in made.sheets.iter().enumerate() {
            let key = format!("{folder}/board-{run}-{n}.jpg");
            cx.storage().put_file(&key, sheet, "image/jpeg").await?;
            sheets.push(key);
        }
        let mut found = Vec::new();
        for (n, picture) in made.candidates.iter().enumerate() {
            let key = format!("{folder}/found-{run}-{n}.jpg");
            cx.storage().put_file(&key, picture, "image/jpeg").await?;
            found.push(key);
        }
        let board = StoredBoard {
            layout: made.layout,
            sheets,
        };
        cx.complete(cx.db(), async |tx| {
            if videos::save_board(&mut *tx, self.video, self.generation, &board).await? {
                for key in &found {
                    let id = ThumbnailId::new();
                    Thumbnail::found(&mut *tx, id, self.video, self.generation, key).await?;
                }
            }
            videos::video_changed(tx, video.id, video.user_id)
                .await
                .map(Into::into)
        })
        .await
    }
}
