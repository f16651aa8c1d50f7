//! What operators do to many jobs at once.

use millrace_queue::{Bulk, EnqueueError, Enqueued, NewJob, enqueue};
use serde_json::json;
use sqlx::PgConnection;

/// The queue of bulk actions. Every worker serves it with a place of its own, so that what is full or paused can be
/// cleared.
pub const QUEUE: &str = "operations";

/// Enqueues a bulk action. Who wants it and why can be read by auditors, who do not see arguments.
///
/// # Errors
/// Those of the insert.
pub async fn start_bulk(conn: &mut PgConnection, bulk: &Bulk) -> Result<Enqueued, EnqueueError> {
    let job = NewJob::new(bulk).queue(QUEUE).meta(json!({
        "action": bulk.action, "filter": bulk.filter, "by": bulk.by, "reason": bulk.reason,
    }));
    enqueue(conn, job).await
}
