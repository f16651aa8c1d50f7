//! Who is told of a change. Events name ids only: the relay reads the row, which is the truth, and what only it
//! can make, such as a playback token.

use millrace_bus::{Event, Hint};
use serde_json::json;
use sqlx::PgConnection;

use crate::ids::{UserId, VideoId};

/// The topic that follows one video.
pub fn topic_of_video(id: VideoId) -> String {
    format!("video:{id}")
}

/// The topic of one person: their uploads and videos.
pub fn topic_of_user(id: UserId) -> String {
    format!("user:{id}")
}

/// Tells the video's and its owner's topics that the video changed. Call it last in the transaction.
///
/// # Errors
/// Those of the statement.
pub async fn video_changed(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
) -> Result<Hint, sqlx::Error> {
    announce(conn, video, owner, "video").await
}

/// Tells them that it is gone. Call it last in the transaction.
///
/// # Errors
/// Those of the statement.
pub async fn video_deleted(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
) -> Result<Hint, sqlx::Error> {
    announce(conn, video, owner, "video_deleted").await
}

async fn announce(
    conn: &mut PgConnection,
    video: VideoId,
    owner: UserId,
    kind: &str,
) -> Result<Hint, sqlx::Error> {
    let data = json!({ "type": kind, "id": video });
    let events = [topic_of_user(owner), topic_of_video(video)].map(|topic| Event {
        topic,
        data: data.clone(),
    });
    millrace_bus::publish(conn, &events).await
}
