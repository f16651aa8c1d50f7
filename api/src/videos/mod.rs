//! Videos over HTTP: look at them, list them, change them.

/// The same change of many videos.
mod bulk;
/// Captions of one's own videos.
mod captions;
/// Captions, chapters and pictures for the player.
mod extras;
/// When a video comes and goes.
mod lifecycle;
/// The handlers.
pub(crate) mod routes;
/// What players say, and the figures of it.
mod statistics;
/// Pictures that may stand for a video.
mod thumbnails;
/// How a video looks from outside.
mod view;

pub(crate) use routes::VideoPage;
pub(crate) use routes::refusal;
pub(crate) use view::{LiveVideo, VideoView, may_watch};
