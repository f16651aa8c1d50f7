//! Stores segments as the encoder closes them: the object first, then its row under the job's lease.

use std::{collections::HashMap, path::Path};

use millrace_domain::{
    ids::VideoId,
    media::{ClosedSegment, mp4},
    videos::{self, NewSegment, Video},
};
use millrace_queue::{Failure, Wake};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::{JobContext, source::is_full};

/// Stores what comes in on `closed` until the encoder drops its end. A slow store holds the encoder's announcements
/// back, not its disk: files that wait are few, because the channel is short.
pub(crate) struct Publisher<'a> {
    cx: &'a JobContext,
    video: &'a Video,
    chunk: i32,
    missing_from: &'a HashMap<String, i32>,
    inits: HashMap<String, Init>,
}

/// The init segment of a rendition as this run made it.
#[derive(Clone)]
struct Init {
    key: String,
    hash: Vec<u8>,
    parsed: mp4::Init,
}

impl<'a> Publisher<'a> {
    pub(crate) fn new(
        cx: &'a JobContext,
        video: &'a Video,
        chunk: i32,
        missing_from: &'a HashMap<String, i32>,
    ) -> Self {
        Self {
            cx,
            video,
            chunk,
            missing_from,
            inits: HashMap::new(),
        }
    }

    /// Runs until the channel closes.
    pub(crate) async fn run(
        mut self,
        mut closed: mpsc::Receiver<ClosedSegment>,
    ) -> Result<(), Failure> {
        while let Some(segment) = closed.recv().await {
            // A second run begins where the slowest rung stopped; the others are further.
            let missing_from = self.missing_from.get(segment.rendition.as_str());
            if missing_from.is_none_or(|&n| segment.n >= n) {
                self.store(&segment).await?;
            }
            // Best effort: the whole directory goes with the run.
            let _ = tokio::fs::remove_file(&segment.path).await;
        }
        Ok(())
    }

    async fn store(&mut self, segment: &ClosedSegment) -> Result<(), Failure> {
        let rendition = segment.rendition.as_str();
        let init = self.init(rendition, segment).await?;
        let bytes = tokio::fs::read(&segment.path).await?;
        let fragment = match mp4::Fragment::read(&bytes, &init.parsed) {
            Ok(fragment) => fragment,
            Err(error) => return Err(unreadable(&segment.path, error).await),
        };
        let key = format!("{}seg_{}.m4s", self.prefix(rendition), segment.n);
        let size = i32::try_from(bytes.len())?;
        self.cx.storage().put(&key, bytes, "video/mp4").await?;
        let row = NewSegment {
            video: self.video.id,
            generation: self.video.generation,
            rendition: rendition.to_owned(),
            n: segment.n,
            chunk: self.chunk,
            run_no: self.cx.run_no,
            key,
            init_key: init.key,
            init_hash: init.hash,
            codecs: init.parsed.codecs,
            start: fragment.start,
            length: fragment.length,
            timescale: init.parsed.timescale,
            bytes: size,
            keyframe_bytes: Some(fragment.keyframe_bytes),
        };
        self.insert(&row).await
    }

    /// Inserts the row and, with a rendition's very first, sees whether the video can be watched from now on.
    async fn insert(&self, row: &NewSegment) -> Result<(), Failure> {
        let mut tx = millrace_bus::begin(self.cx.db()).await?;
        self.cx.fence(&mut tx).await?;
        if videos::insert_segment(&mut tx, row).await? {
            // However often it is interrupted: whoever stores segments comes to an end.
            self.cx.advance(&mut tx).await?;
        }
        let mut wake = Wake::none();
        if row.n == 0 {
            wake = first_of_rendition(&mut tx, self.video).await?;
        }
        tx.commit().await?;
        wake.fire(self.cx.notifier());
        Ok(())
    }

    /// Stores the init segment of a rendition before its first media segment.
    async fn init(&mut self, rendition: &str, segment: &ClosedSegment) -> Result<Init, Failure> {
        if let Some(init) = self.inits.get(rendition) {
            return Ok(init.clone());
        }
        let bytes = tokio::fs::read(&segment.init).await?;
        let parsed = match mp4::Init::read(&bytes) {
            Ok(parsed) => parsed,
            Err(error) => return Err(unreadable(&segment.init, error).await),
        };
        let hash = Sha256::digest(&bytes).to_vec();
        let (video, generation) = (self.video.id, self.video.generation);
        let key = match videos::init_key(self.cx.db(), video, generation, rendition, &hash).await? {
            // Equal to the one that players have already.
            Some(key) => key,
            None => {
                let key = format!("{}init.mp4", self.prefix(rendition));
                self.cx.storage().put(&key, bytes, "video/mp4").await?;
                key
            }
        };
        let init = Init { key, hash, parsed };
        self.inits.insert(rendition.to_owned(), init.clone());
        Ok(init)
    }

    /// The run's own folder: two runs never write the same key, and the losing one's objects have no rows.
    fn prefix(&self, rendition: &str) -> String {
        let (id, generation): (VideoId, i32) = (self.video.id, self.video.generation);
        format!(
            "hls/{id}/{generation}/{rendition}/c{}-{}/",
            self.chunk,
            self.video.run_name(self.cx.run_no)
        )
    }
}

/// Why a closed segment cannot be read. ffmpeg's muxer takes no notice of a full disk and closes what it could not
/// write; so whether there is room is found out by writing.
async fn unreadable(file: &Path, error: impl Into<Failure>) -> Failure {
    let trial = file.with_extension("trial");
    let written = tokio::fs::write(&trial, vec![0; 1 << 16]).await;
    let _ = tokio::fs::remove_file(&trial).await;
    match written {
        Err(full) if is_full(&full) => full.into(),
        _ => error.into(),
    }
}

/// Sees whether the video can be watched, now that a rendition has its first segment.
pub(crate) async fn first_of_rendition(
    conn: &mut sqlx::PgConnection,
    video: &Video,
) -> Result<Wake, sqlx::Error> {
    // The video's row serializes the first segments of its renditions: the last of them sees all others.
    let Some(_) = Video::lock(conn, video.id).await? else {
        return Ok(Wake::none());
    };
    if videos::mark_playable(&mut *conn, video.id, video.generation).await? {
        return Ok(videos::video_changed(conn, video.id, video.user_id)
            .await?
            .into());
    }
    Ok(Wake::none())
}
