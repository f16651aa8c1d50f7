//! How a video looks from outside: the whole of it, and the part that changes while it is being made.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{DecisionId, UserId, VideoId},
    videos::{Category, Quality, Stage, Status, Video, Visibility, qualities_of},
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::playback::Playback;

/// Whose video it is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Owner {
    id: UserId,
    username: String,
}

/// Why a video failed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct VideoError {
    /// A stable word that the user interface translates.
    code: String,
    message: String,
}

/// One rung of the ladder.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Quality)]
pub(crate) struct QualityView {
    #[schema(example = "1080p")]
    name: String,
    height: i32,
    width: i32,
    /// Bits a second at the peak, once measured.
    #[schema(required)]
    bitrate: Option<i32>,
    status: QualityStatus,
}

/// Whether a rung is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum QualityStatus {
    Processing,
    Ready,
}

/// What changes while a video is being made. The frames of `video:{id}` and `user:{id}` carry it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LiveVideo {
    pub(crate) id: VideoId,
    title: String,
    pub(crate) status: Status,
    /// Percent.
    #[schema(minimum = 0, maximum = 100)]
    progress: i16,
    stage: Stage,
    #[schema(required)]
    error: Option<VideoError>,
    /// Whether it can be watched, at least its beginning.
    playable: bool,
    /// The master playlist as soon as it can be watched: one that grows while it is being made, then a final one.
    #[schema(required)]
    hls_url: Option<String>,
    /// Whether players must send cookies along with requests for segments, which go to a CDN that asks for them.
    hls_credentials: bool,
    /// The whole video as one file, of a small source that browsers play anyway: there before `hls_url`, and not for
    /// ever.
    #[schema(required)]
    mp4_url: Option<String>,
    #[schema(required)]
    pub(crate) poster_url: Option<String>,
    /// Seconds.
    #[schema(required)]
    duration: Option<f64>,
    #[schema(required)]
    width: Option<i32>,
    #[schema(required)]
    height: Option<i32>,
    qualities: Vec<QualityView>,
}

/// A video.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Video)]
pub(crate) struct VideoView {
    #[serde(flatten)]
    pub(crate) live: LiveVideo,
    owner: Owner,
    description: String,
    visibility: Visibility,
    tags: Vec<String>,
    #[schema(required)]
    category: Option<Category>,
    views: i64,
    likes: i64,
    /// Bytes of the original.
    file_size: i64,
    #[schema(required)]
    original_format: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[schema(required)]
    published_at: Option<DateTime<Utc>>,
    /// When it becomes public by itself.
    #[schema(required)]
    publish_at: Option<DateTime<Utc>>,
    /// The decision of staff that hides it: only its owner sees it, and cannot change its visibility.
    #[schema(required)]
    hidden_by: Option<DecisionId>,
    /// In the trash since; 30 days later it is gone.
    #[schema(required)]
    deleted_at: Option<DateTime<Utc>>,
    /// Another source is being processed, or has failed; the one before plays meanwhile.
    replacing: bool,
}

impl LiveVideo {
    /// The view for somebody who may watch the video.
    pub(crate) fn new(video: &Video, qualities: &[Quality], playback: &Playback) -> Self {
        let shown = video.as_played();
        let playable = video.playable_at.is_some() && video.status != Status::Failed;
        Self {
            id: video.id,
            title: video.title.clone(),
            status: video.status,
            progress: video.progress,
            stage: video.stage,
            error: video.error_code.as_ref().map(|code| VideoError {
                code: code.clone(),
                message: video.error_message.clone().unwrap_or_default(),
            }),
            playable,
            hls_url: playback.master_url(video),
            hls_credentials: playback.wants_cookies(),
            mp4_url: playback.file_url(video),
            poster_url: video
                .thumbnail_key
                .as_ref()
                .map(|_| playback.poster_url(video)),
            duration: shown.duration,
            width: shown.width,
            height: shown.height,
            qualities: qualities.iter().filter_map(QualityView::new).collect(),
        }
    }
}

impl QualityView {
    /// None for the audio, which is in all of them.
    fn new(quality: &Quality) -> Option<Self> {
        let (width, height) = (quality.width?, quality.height?);
        let rung = quality.rendition.strip_prefix('v')?;
        Some(Self {
            name: format!("{rung}p"),
            height,
            width,
            bitrate: quality.bandwidth,
            status: if quality.status == "ready" {
                QualityStatus::Ready
            } else {
                QualityStatus::Processing
            },
        })
    }
}

impl VideoView {
    /// The view for somebody who may watch the video.
    pub(crate) fn new(video: &Video, qualities: &[Quality], playback: &Playback) -> Self {
        Self {
            live: LiveVideo::new(video, qualities, playback),
            owner: Owner {
                id: video.user_id,
                username: video.username.clone(),
            },
            description: video.description.clone(),
            visibility: video.visibility,
            tags: video.tags.clone(),
            category: video.category,
            views: video.views,
            likes: video.likes,
            file_size: video.file_size,
            original_format: video.original_format.clone(),
            created_at: video.created_at,
            updated_at: video.updated_at,
            published_at: video.published_at,
            publish_at: video.publish_at,
            hidden_by: video.hidden_by,
            deleted_at: video.deleted_at,
            replacing: video.played.is_some(),
        }
    }

    /// The views of several videos, in their order.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn of_all(
        conn: &mut PgConnection,
        videos: &[Video],
        playback: &Playback,
    ) -> Result<Vec<Self>, sqlx::Error> {
        let ids: Vec<VideoId> = videos.iter().map(|video| video.id).collect();
        let qualities: HashMap<VideoId, Vec<Quality>> = qualities_of(conn, &ids).await?;
        let none = Vec::new();
        Ok(videos
            .iter()
            .map(|video| Self::new(video, qualities.get(&video.id).unwrap_or(&none), playback))
            .collect())
    }

    /// The view of one video.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn of(
        conn: &mut PgConnection,
        video: &Video,
        playback: &Playback,
    ) -> Result<Self, sqlx::Error> {
        let qualities =
            millrace_domain::videos::qualities(conn, video.id, video.as_played().generation)
                .await?;
        Ok(Self::new(video, &qualities, playback))
    }
}

/// Whether `viewer` may watch `video`: its owner always, others unless it is private; nobody what is in the trash.
pub(crate) fn may_watch(video: &Video, viewer: Option<UserId>) -> bool {
    let theirs = video.visibility != Visibility::Private || viewer == Some(video.user_id);
    theirs && video.deleted_at.is_none()
}
