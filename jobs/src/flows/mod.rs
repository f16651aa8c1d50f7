//! A row and its jobs, in one function and one transaction: what is written is worked on, and nothing else is.

/// Mail about accounts.
mod account;
/// A person's picture.
mod avatar;
/// The same change of many videos.
mod bulk;
/// Who hears of a comment.
mod comment;
/// Drop copies that are not watched any more.
mod copies;
/// A mail and the job that sends it.
mod email;
/// The end of an account, and copies of it.
mod farewell;
/// What EventBridge says, and jobs at MediaConvert that are not needed any more.
mod mediaconvert;
/// What staff decide, and what is said against it.
mod moderation;
/// News and the mail of it.
mod notify;
/// Orders, events of providers, and refunds.
mod payments;
/// Another source in place of a video's own.
mod replace;
/// Publishing at a time.
mod schedule;
/// Pictures that may stand for a video.
mod thumbnail;
/// Into the trash, and out of it.
mod trash;
/// The ends of an upload.
mod upload;
/// Begin, retry, cancel and delete a video.
mod video;

pub use account::{forgot_password, mail_account, mail_account_at};
pub use avatar::{receive_avatar, show_avatar};
pub use bulk::change_many;
pub use comment::tell_of_comment;
pub use copies::{drop_copies, drop_old_copies};
pub use email::{send_email, tell_by_mail};
pub use farewell::{begin_export, begin_farewell, forget_files};
pub use mediaconvert::hear_event;
pub(crate) use mediaconvert::{look_now, stop_converting, stop_intent};
pub use moderation::{ModerationError, Wish, answer_appeal, decide, lift_decision};
pub use notify::{announce_video, notify};
pub(crate) use notify::{notify_all, published};
pub(crate) use payments::work_off_event;
pub use payments::{
    PaymentError, begin_refund, create_payment, end_payment, look_at_payment, receive_event,
};
pub use replace::replace_source;
pub use schedule::schedule_video;
pub(crate) use thumbnail::delete_doomed;
pub use thumbnail::{delete_thumbnail, drop_objects, take_thumbnail};
pub use trash::{empty_trash, restore_video, trash_video};
pub use upload::{Completion, abort_upload, complete_upload, expire_upload};
pub(crate) use video::give_back;
pub use video::{FlowError, cancel_video, delete_video, retry_video, start_video};
