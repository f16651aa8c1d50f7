//! mediaconvert_register: what MediaConvert wrote becomes segments like any others.

use std::{collections::HashSet, time::Duration};

use futures::future::try_join_all;
use millrace_domain::{
    ids::{ThumbnailId, VideoId},
    media::{MediaError, Plan, Rendition, mp4},
    mediaconvert::{Intent, JobStatus, Listed, Manifest, Outputs},
    storage::StorageError,
    videos::{self, NewSegment, Thumbnail, Video},
};
use millrace_queue::{Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Job, JobContext, context::media_failure, plan::Decided, publisher::first_of_rendition};

/// A playlist of a day of video has some 21,600 segments of 60 bytes.
const LARGEST_MANIFEST: u64 = 16 * 1024 * 1024;
const LARGEST_INIT: u64 = 1024 * 1024;
/// No segment of ours has more.
const LARGEST_SEGMENT: u64 = 256 * 1024 * 1024;
/// Holds the head of a segment, and mostly its key frame too, which is not needed.
const HEAD: u64 = 32 * 1024;
/// Segments that are looked at at once.
const AT_ONCE: usize = 16;
/// Rows of one transaction.
const BATCH: usize = 96;

/// Reads the playlists that MediaConvert wrote, looks at the head of each segment, and inserts the rows that playlists,
/// delivery and deletion go by. Objects stay where they are.
/// Safe twice: rows that are there stay, and a second run looks only at what has none.
#[derive(Debug, Serialize, Deserialize)]
pub struct MediaconvertRegister {
    pub video: VideoId,
    pub generation: i32,
}

impl Job for MediaconvertRegister {
    const KIND: &'static str = "mediaconvert_register";
    const QUEUE: &'static str = "default";
    const TIMEOUT: Duration = Duration::from_secs(60 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let video = cx.video(self.video, self.generation).await?;
        let plan = Decided::of(&video)?.plan;
        let intent = Intent::current(cx.db(), video.id, video.generation, video.round)
            .await?
            .filter(|intent| intent.status == JobStatus::Complete)
            .or_fail("MediaConvert has not made it")?;
        let outputs = intent.outputs();
        let rungs = plan.ladder.iter().map(|rung| rung.rendition);
        let renditions: Vec<Rendition> =
            rungs.chain(plan.audio.then_some(Rendition::Audio)).collect();
        for rendition in &renditions {
            let Some(text) = manifest(cx, &outputs, *rendition).await? else {
                Intent::lose(cx.db(), intent.id).await?;
                let lost = "What was made of the video is gone. You can try again.";
                return Err(Failure::fail(lost).with_code("transcoder_failed"));
            };
            let manifest = Manifest::read(&text, &outputs, *rendition).map_err(unexpected)?;
            self.register(cx, &video, *rendition, &manifest).await?;
        }
        let frames = self.frames(cx, &plan).await?;
        let pictures = pictures(cx, &outputs).await?;
        cx.complete(cx.db(), async |tx| {
            if let Some(frames) = frames.filter(|frames| *frames != plan.grid.frame_count) {
                videos::set_frame_count(&mut *tx, video.id, self.generation, frames).await?;
            }
            for key in &pictures.all {
                let id = ThumbnailId::new();
                Thumbnail::found(&mut *tx, id, video.id, self.generation, key).await?;
            }
            if let Some(poster) = &pictures.poster {
                Video::set_poster(&mut *tx, video.id, self.generation, poster).await?;
            }
            videos::video_changed(tx, video.id, video.user_id)
                .await
                .map(Into::into)
        })
        .await
    }
}

/// What they wrote is not what was asked for: trying again would find the same.
fn unexpected(error: impl std::fmt::Display) -> Failure {
    let told = MediaError::configuration("MediaConvert wrote something unexpected.");
    media_failure(told.with_detail(error.to_string()))
}

impl MediaconvertRegister {
    /// Inserts the rows of a rendition that are missing.
    async fn register(
        &self,
        cx: &JobContext,
        video: &Video,
        rendition: Rendition,
        manifest: &Manifest,
    ) -> Result<(), Failure> {
        let name = rendition.as_str();
        let there = videos::segments(cx.db(), video.id, self.generation, name).await?;
        let there: HashSet<i32> = there.iter().map(|segment| segment.n).collect();
        let bytes = cx.storage().get(&manifest.init, LARGEST_INIT).await?;
        let init = mp4::Init::read(&bytes).map_err(unexpected)?;
        let hash = Sha256::digest(&bytes).to_vec();
        let made = Made {
            video,
            rendition: name,
            init_key: &manifest.init,
            init_hash: &hash,
            init: &init,
        };
        let missing: Vec<(i32, &Listed)> = (0..)
            .zip(&manifest.segments)
            .filter(|(n, _)| !there.contains(n))
            .collect();
        for batch in missing.chunks(BATCH) {
            let mut rows = Vec::with_capacity(batch.len());
            for few in batch.chunks(AT_ONCE) {
                let looks = few.iter().map(|(n, listed)| made.look(cx, *n, listed));
                rows.extend(try_join_all(looks).await?);
            }
            insert(cx, video, &rows).await?;
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two batches".into()));
            }
        }
        Ok(())
    }

    /// How many frames the picture has, by its segments; none without a picture. All qualities must be cut alike.
    async fn frames(&self, cx: &JobContext, plan: &Plan) -> Result<Option<i64>, Failure> {
        let mut cuts: Option<Vec<i64>> = None;
        for rung in &plan.ladder {
            let name = rung.rendition.as_str();
            let segments = videos::segments(cx.db(), self.video, self.generation, name).await?;
            let frame = |s: &videos::Segment| {
                let seconds = s.length as f64 / f64::from(s.timescale);
                (seconds * plan.grid.fps.as_f64()).round() as i64
            };
            let found: Vec<i64> = segments.iter().map(frame).collect();
            match &cuts {
                None => cuts = Some(found),
                Some(first) if *first == found => {}
                Some(_) => return Err(unexpected(format!("{name} is cut elsewhere"))),
            }
        }
        Ok(cuts.map(|cuts| cuts.iter().sum()))
    }
}

/// The playlist of a rendition; `None` if it is gone, as what nobody named for a day is.
async fn manifest(
    cx: &JobContext,
    outputs: &Outputs,
    rendition: Rendition,
) -> Result<Option<Vec<u8>>, Failure> {
    let key = outputs.manifest(rendition);
    match cx.storage().get(&key, LARGEST_MANIFEST).await {
        Ok(text) => Ok(Some(text)),
        Err(StorageError::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A rendition as they made it.
struct Made<'a> {
    video: &'a Video,
    rendition: &'a str,
    init_key: &'a str,
    init_hash: &'a [u8],
    init: &'a mp4::Init,
}

impl Made<'_> {
    /// The row of a segment, by its head; by all of it, if that does not say enough.
    async fn look(&self, cx: &JobContext, n: i32, listed: &Listed) -> Result<NewSegment, Failure> {
        let (head, total) = cx.storage().get_beginning(&listed.key, HEAD).await?;
        let fragment = match mp4::Fragment::read_head(&head, total, self.init) {
            Ok(fragment) => fragment,
            Err(_) => {
                let whole = cx.storage().get(&listed.key, LARGEST_SEGMENT).await?;
                mp4::Fragment::read(&whole, self.init).map_err(unexpected)?
            }
        };
        Ok(NewSegment {
            video: self.video.id,
            generation: self.video.generation,
            rendition: self.rendition.to_owned(),
            n,
            chunk: 0,
            run_no: cx.run_no,
            key: listed.key.clone(),
            init_key: self.init_key.to_owned(),
            init_hash: self.init_hash.to_owned(),
            codecs: self.init.codecs.clone(),
            start: fragment.start,
            length: fragment.length,
            timescale: self.init.timescale,
            bytes: i32::try_from(total)?,
            keyframe_bytes: Some(fragment.keyframe_bytes),
        })
    }
}

async fn insert(cx: &JobContext, video: &Video, batch: &[NewSegment]) -> Result<(), Failure> {
    let mut tx = millrace_bus::begin(cx.db()).await?;
    cx.fence(&mut tx).await?;
    for row in batch {
        videos::insert_segment(&mut tx, row).await?;
    }
    cx.advance(&mut tx).await?;
    let mut wake = Wake::none();
    if batch.iter().any(|row| row.n == 0) {
        wake = first_of_rendition(&mut tx, video).await?;
    }
    tx.commit().await?;
    wake.fire(cx.notifier());
    Ok(())
}

/// Pictures to choose the poster from.
#[derive(Default)]
struct Pictures {
    all: Vec<String>,
    /// The one that shows most: black and plain ones compress to nothing.
    poster: Option<String>,
}

/// The pictures that they took, without the first instant's if there are others. That one, and the playlists, have no
/// rows, and the sweep of orphans takes them.
async fn pictures(cx: &JobContext, outputs: &Outputs) -> Result<Pictures, Failure> {
    let page = cx.storage().list_after(&outputs.pictures(), "").await?;
    let jpegs = page.objects.into_iter().filter(|o| o.key.ends_with(".jpg"));
    let mut all: Vec<_> = jpegs.collect();
    if all.len() > 1 {
        all.remove(0);
    }
    let poster = all.iter().max_by_key(|object| object.size);
    Ok(Pictures {
        poster: poster.map(|object| object.key.clone()),
        all: all.into_iter().map(|object| object.key).collect(),
    })
}
