//! What work exists and does: one file per kind in `kinds/`, and in `flows/` the functions that write a row and
//! enqueue its jobs in one transaction.

/// What a running job has at hand.
mod context;
/// A row and its jobs, in one function.
pub mod flows;
/// The trait of a kind, and the list that makes it enqueueable.
mod job;
/// The kinds.
pub mod kinds;
/// What the kinds that look after MediaConvert have in common.
mod mediaconvert;
/// What operators do to many jobs at once.
pub mod operate;
/// Objects that no row names.
pub mod orphans;
/// A chunk or the audio: the encoder and the store side by side.
mod part;
/// What the kinds that look after orders have in common.
mod payments;
/// The job graph of one generation.
mod pipeline;
/// What probe decided, as later jobs read it.
mod plan;
/// The way to an SMTP server.
mod post;
/// Progress of videos, gathered and written a few times a second.
mod progress;
/// Stores segments as the encoder closes them.
mod publisher;
/// Failures that are nobody's fault: memory, disk, crashes.
mod setbacks;
/// Sources of running jobs on local disk.
mod source;

pub use context::{
    JobContext, ServiceOptions, Services, converter_options, database_options, payment_provider,
    pool_options, storage_options,
};
pub use job::Job;
pub use post::Post;

/// Brings the whole schema up to date: the engine's part first.
///
/// # Errors
/// A migration that fails, or one that was changed after it ran.
pub async fn migrate(pool: &sqlx::PgPool) -> Result<(), sqlx::migrate::MigrateError> {
    millrace_queue::migrate(pool).await?;
    millrace_domain::migrate(pool).await
}
