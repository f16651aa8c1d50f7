//! Files on their way in: what is accepted, how it is cut into parts, and the records.

/// Which files are accepted.
mod accept;
/// One PUT or parts, and how large they are.
mod plan;
/// Upload records and their states.
mod record;

pub use accept::{EXTENSIONS, Refusal, accept};
pub use plan::{Method, PartPlan};
pub use record::{NewUpload, Upload, UploadStatus};
