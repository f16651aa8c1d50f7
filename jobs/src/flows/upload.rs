//! The end of an upload that becomes nothing.

use millrace_domain::{
    ids::{UploadId, UserId},
    uploads::Upload,
    videos,
};
use millrace_queue::Wake;
use sqlx::PgConnection;

use super::{FlowError, video::sweep};

/// Gives a pending upload up: what has arrived of it is deleted by a job. `None` if it was over already. A PUT that is
/// under way meanwhile leaves an object without a row, which is garbage like any other.
///
/// # Errors
/// [`FlowError`]
pub async fn abort_upload(
    conn: &mut PgConnection,
    upload: UploadId,
    owner: UserId,
    key: &str,
) -> Result<Option<Wake>, FlowError> {
    if !Upload::abort(&mut *conn, upload).await? {
        return Ok(None);
    }
    let folder = key.trim_end_matches("source").to_owned();
    videos::doom(&mut *conn, std::slice::from_ref(&folder)).await?;
    sweep(conn, owner, None, vec![folder]).await.map(Some)
}
