//! Who is told of an upload's end: its owner, on whatever page and device.

use millrace_bus::{Event, Hint};
use serde_json::json;
use sqlx::PgConnection;

use super::{Upload, UploadStatus};
use crate::{ids::VideoId, videos::topic_of_user};

/// Tells the owner's topic that the upload has `status` now. Call it last in the transaction.
///
/// # Errors
/// Those of the statement.
pub async fn upload_changed(
    conn: &mut PgConnection,
    upload: &Upload,
    status: UploadStatus,
    video: Option<VideoId>,
) -> Result<Hint, sqlx::Error> {
    let data =
        json!({"type": "upload", "upload": {"id": upload.id, "status": status, "video_id": video}});
    let topic = topic_of_user(upload.user);
    millrace_bus::publish(conn, &[Event { topic, data }]).await
}
