//! Videos over HTTP: look at them, list them, change them.

/// The handlers.
pub(crate) mod routes;
/// How a video looks from outside.
mod view;

pub(crate) use routes::VideoPage;
pub(crate) use view::{LiveVideo, VideoView, may_watch};
