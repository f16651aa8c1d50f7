//! A row and its jobs, in one function and one transaction: what is written is worked on, and nothing else is.

/// Drop copies that are not watched any more.
mod copies;
/// A mail and the job that sends it.
mod email;
/// News and the mail of it.
mod notify;
/// The ends of an upload.
mod upload;
/// Begin, retry, cancel and delete a video.
mod video;

pub use copies::{drop_copies, drop_old_copies};
pub use email::{send_email, tell_by_mail};
pub use notify::{announce_video, notify};
pub(crate) use notify::{notify_all, published};
pub use upload::{Completion, abort_upload, complete_upload, expire_upload};
pub use video::{FlowError, cancel_video, delete_video, retry_video, start_video};
