//! What the relay reads for a topic: snapshots, and the states behind events. Rows are the truth; events only say
//! which row to look at.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use millrace_bus::{Head, StoredEvent};
use millrace_domain::{
    ids::{UserId, VideoId},
    uploads::Upload,
    videos::{Quality, Status, Video, Visibility, qualities_of},
};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool, Postgres, Transaction};

use super::{frame::Progress, topic::Topic};
use crate::{
    playback::Playback,
    snapshot::snapshot,
    videos::{LiveVideo, may_watch},
};

/// Uploads that a person's snapshot lists.
const UPLOADS: i64 = 100;

/// The state of a video as subscribers get it.
#[derive(Debug, Clone)]
pub(super) struct Live {
    /// `{type: "video", video, generation}`
    pub(super) data: Arc<str>,
    pub(super) progress: Progress,
    /// Ready or failed: no other state follows by itself.
    pub(super) settled: bool,
    pub(super) owner: UserId,
    pub(super) private: bool,
}

/// What a subscriber begins with.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) head: Head,
    pub(super) data: String,
    /// Whether something in it is being made.
    pub(super) unsettled: bool,
}

/// Reads topics.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) db: PgPool,
    pub(super) playback: Playback,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "video")]
struct VideoData<'a> {
    video: &'a LiveVideo,
    generation: i32,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "user")]
struct UserData {
    videos: Vec<LiveVideo>,
    uploads: Vec<Value>,
}

impl Source {
    /// A transaction in which head and state belong together.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        snapshot(&self.db).await
    }

    /// Whether `user` may follow `topic` now. What is hidden looks absent.
    pub(super) async fn admits(
        &self,
        conn: &mut PgConnection,
        topic: Topic,
        user: UserId,
    ) -> Result<bool, sqlx::Error> {
        match topic {
            Topic::User(id) => Ok(id == user),
            Topic::Video(id) => {
                let video = Video::find(conn, id).await?;
                Ok(video.is_some_and(|video| may_watch(&video, Some(user))))
            }
        }
    }

    /// Where `topic` stands.
    pub(super) async fn head(conn: &mut PgConnection, topic: &str) -> Result<Head, sqlx::Error> {
        let heads = millrace_bus::heads(conn, &[topic.to_owned()]).await?;
        Ok(heads.first().map_or(Head::NONE, |(_, head)| *head))
    }

    /// The state of `topic` and the head that it belongs to; none if there is no such video.
    pub(super) async fn snapshot(
        &self,
        conn: &mut PgConnection,
        topic: Topic,
    ) -> Result<Option<Snapshot>, sqlx::Error> {
        let head = Self::head(conn, &topic.to_string()).await?;
        match topic {
            Topic::Video(id) => {
                let live = self.live(conn, &[id]).await?;
                Ok(live.get(&id).map(|live| Snapshot {
                    head,
                    data: live.data.to_string(),
                    unsettled: !live.settled,
                }))
            }
            Topic::User(user) => {
                let videos = Video::processing_of(&mut *conn, user).await?;
                let ids: Vec<VideoId> = videos.iter().map(|video| video.id).collect();
                let qualities = qualities_of(&mut *conn, &ids).await?;
                let uploads = Upload::pending(conn, user, UPLOADS).await?;
                let data = UserData {
                    videos: videos
                        .iter()
                        .map(|video| self.view(video, &qualities))
                        .collect(),
                    uploads: uploads.iter().map(upload_data).collect(),
                };
                Ok(Some(Snapshot {
                    head,
                    data: serde_json::to_string(&data)
                        .map_err(|e| sqlx::Error::Encode(Box::new(e)))?,
                    unsettled: !videos.is_empty(),
                }))
            }
        }
    }

    /// The states of `ids` now; deleted ones are absent.
    pub(super) async fn live(
        &self,
        conn: &mut PgConnection,
        ids: &[VideoId],
    ) -> Result<HashMap<VideoId, Live>, sqlx::Error> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let videos = Video::find_all(&mut *conn, ids).await?;
        self.lives(conn, videos).await
    }

    /// The states of `named` and of what each of `makers` is making now, and which videos the latter are.
    pub(super) async fn states(
        &self,
        conn: &mut PgConnection,
        named: &[VideoId],
        makers: &[UserId],
    ) -> Result<(HashMap<VideoId, Live>, HashMap<UserId, Vec<VideoId>>), sqlx::Error> {
        let mut videos = HashMap::new();
        let mut made_by = HashMap::new();
        for &maker in makers {
            let made = Video::processing_of(&mut *conn, maker).await?;
            made_by.insert(maker, made.iter().map(|video| video.id).collect());
            videos.extend(made.into_iter().map(|video| (video.id, video)));
        }
        let others: HashSet<VideoId> = named
            .iter()
            .copied()
            .filter(|id| !videos.contains_key(id))
            .collect();
        if !others.is_empty() {
            let others: Vec<VideoId> = others.into_iter().collect();
            let others = Video::find_all(&mut *conn, &others).await?;
            videos.extend(others.into_iter().map(|video| (video.id, video)));
        }
        let live = self.lives(conn, videos.into_values().collect()).await?;
        Ok((live, made_by))
    }

    async fn lives(
        &self,
        conn: &mut PgConnection,
        videos: Vec<Video>,
    ) -> Result<HashMap<VideoId, Live>, sqlx::Error> {
        if videos.is_empty() {
            return Ok(HashMap::new());
        }
        let ids: Vec<VideoId> = videos.iter().map(|video| video.id).collect();
        let qualities = qualities_of(conn, &ids).await?;
        videos
            .iter()
            .map(|video| {
                let data = VideoData {
                    video: &self.view(video, &qualities),
                    generation: video.generation,
                };
                let data =
                    serde_json::to_string(&data).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
                let live = Live {
                    data: data.into(),
                    progress: Progress {
                        job: video.id,
                        run_no: video.generation,
                        n: video.updated_at.timestamp_micros(),
                    },
                    settled: video.status != Status::Processing,
                    owner: video.user_id,
                    private: video.visibility == Visibility::Private,
                };
                Ok((video.id, live))
            })
            .collect()
    }

    fn view(&self, video: &Video, qualities: &HashMap<VideoId, Vec<Quality>>) -> LiveVideo {
        let qualities = qualities
            .get(&video.id)
            .map(Vec::as_slice)
            .unwrap_or_default();
        LiveVideo::new(video, qualities, &self.playback)
    }
}

/// The video that an event asks to look at.
pub(super) fn video_of(event: &StoredEvent) -> Option<VideoId> {
    let named = event.data.get("type")?.as_str()? == "video";
    named
        .then(|| event.data.get("id")?.as_str()?.parse().ok())
        .flatten()
}

/// What an event says of a video that is gone by now.
pub(super) fn deleted(id: VideoId) -> String {
    json!({"type": "video_deleted", "id": id}).to_string()
}

fn upload_data(upload: &Upload) -> Value {
    json!({
        "id": upload.id, "status": upload.status, "filename": upload.filename, "size": upload.size,
        "video_id": upload.video, "created_at": upload.created_at,
    })
}
