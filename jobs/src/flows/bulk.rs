//! The same change of many videos.

use millrace_domain::videos::BulkEdit;
use millrace_queue::{NewJob, Wake};
use sqlx::PgConnection;

use super::FlowError;
use crate::kinds::BulkVideos;

/// Writes a change of many videos down and enqueues it.
///
/// # Errors
/// [`FlowError`]
pub async fn change_many(conn: &mut PgConnection, edit: &BulkEdit) -> Result<Wake, FlowError> {
    edit.insert(&mut *conn).await?;
    let job = NewJob::new(&BulkVideos { edit: edit.id }).owner(edit.owner.0);
    Ok(millrace_queue::enqueue(conn, job).await?.wake)
}
