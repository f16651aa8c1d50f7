//! Uploads over HTTP. Bytes travel from the browser to the store; the API signs, checks, and begins the pipeline.

/// Giving an upload up.
mod abort;
/// Beginning an upload: a record, and where to put the file.
mod begin;
/// From bytes in the store to a video in the pipeline.
mod complete;
/// Addresses of what is to be sent.
mod parts;
/// Another source of a video.
mod replace;
/// What a person stores, and may store.
mod storage;
/// How far an upload is.
mod view;

use axum::extract::DefaultBodyLimit;
use millrace_domain::{
    ids::{UploadId, UserId},
    uploads::Upload,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, problem::Problem};

/// Bytes of a body that lists parts: up to 9,000 of them.
const PART_LIST: usize = 2 * 1024 * 1024;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(begin::create_upload, view::list_uploads))
        .routes(routes!(storage::get_storage))
        .routes(routes!(view::get_upload, abort::abort_upload))
        .routes(routes!(parts::sign_parts))
        .routes(routes!(replace::replace_source))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(complete::complete_upload))
                .layer(DefaultBodyLimit::max(PART_LIST)),
        )
}

async fn find(app: &App, id: UploadId, owner: UserId) -> Result<Upload, Problem> {
    Upload::find(&app.db, id, owner)
        .await?
        .ok_or_else(Problem::not_found)
}

/// 409: nothing can be sent to it any more.
fn over() -> Problem {
    Problem::conflict("upload_over", "the upload was aborted or has expired")
}
