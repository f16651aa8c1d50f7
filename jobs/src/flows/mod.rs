//! A row and its jobs, in one function and one transaction: what is written is worked on, and nothing else is.

/// Drop copies that are not watched any more.
mod copies;
/// Pictures that may stand for a video.
mod thumbnail;
/// The ends of an upload.
mod upload;
/// Begin, retry, cancel and delete a video.
mod video;

pub use copies::{drop_copies, drop_old_copies};
pub use thumbnail::{delete_thumbnail, drop_objects, take_thumbnail};
pub use upload::{Completion, abort_upload, complete_upload, expire_upload};
pub use video::{FlowError, cancel_video, delete_video, retry_video, start_video};
