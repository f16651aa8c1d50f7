//! Uploads over HTTP. Bytes travel from the browser to the store; the API signs, checks, and begins the pipeline.

/// Giving an upload up.
mod abort;
/// Beginning an upload: a record, and where to put the file.
mod begin;
/// From bytes in the store to a video in the pipeline.
mod complete;
/// The file in the store, its parts put together.
mod object;
/// Addresses of parts.
mod parts;
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
        .routes(routes!(begin::create_upload))
        .routes(routes!(view::get_upload, abort::abort_upload))
        .routes(routes!(parts::sign_parts))
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
