//! Files on their way in: what is accepted, how it is cut into parts, how much a person may store, and the records.

/// Which files are accepted.
mod accept;
/// What changes an upload's row.
mod change;
/// File names and titles as they are kept.
mod name;
/// Who is told of a change.
mod news;
/// The file in the store, its parts put together.
mod object;
/// One PUT or parts, and how large they are.
mod plan;
/// What has arrived, as the store tells.
mod received;
/// Upload records and their states.
mod record;
/// Beginning an upload, within the quota and once.
mod reserve;
/// What a person stores, and may store.
mod usage;

pub use accept::{EXTENSIONS, Refusal, accept};
pub use name::{clean_name, title_of};
pub use news::upload_changed;
pub use object::{AssembleError, assemble};
pub use plan::{Method, PartPlan};
pub use received::Received;
pub use record::{NewUpload, Upload, UploadStatus};
pub use reserve::{Once, Quota, Reserved, reserve};
pub use usage::Usage;
