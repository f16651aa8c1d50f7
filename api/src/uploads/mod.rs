//! Uploads over HTTP. Bytes travel from the browser to the store; the API signs, checks, and begins the pipeline.

/// From bytes in the store to a video in the pipeline.
mod complete;
/// The handlers.
pub(crate) mod routes;
