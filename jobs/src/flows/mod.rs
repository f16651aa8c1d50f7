//! A row and its jobs, in one function and one transaction: what is written is worked on, and nothing else is.

/// Mail about accounts.
mod account;
/// A person's picture.
mod avatar;
/// Drop copies that are not watched any more.
mod copies;
/// A mail and the job that sends it.
mod email;
/// The end of an account, and copies of it.
mod farewell;
/// The ends of an upload.
mod upload;
/// Begin, retry, cancel and delete a video.
mod video;

pub use account::{mail_account, mail_account_at};
pub use avatar::{receive_avatar, show_avatar};
pub use copies::{drop_copies, drop_old_copies};
pub use email::{send_email, tell_by_mail};
pub use farewell::{begin_export, begin_farewell, forget_files};
pub use upload::{Completion, abort_upload, complete_upload, expire_upload};
pub use video::{FlowError, cancel_video, delete_video, retry_video, start_video};
