//! Videos over HTTP: look at them, list them, change them.

/// Captions of one's own videos.
mod captions;
/// Captions, chapters and pictures for the player.
mod extras;
/// The handlers.
pub(crate) mod routes;
/// When a video comes and goes.
mod lifecycle;
/// Pictures that may stand for a video.
mod thumbnails;
/// How a video looks from outside.
mod view;

pub(crate) use routes::refusal;
pub(crate) use view::{LiveVideo, VideoView, may_watch};
