//! Addresses of what is to be sent: parts, a few at a time, since addresses end and a file has thousands; or the
//! whole file, when its one PUT was interrupted.

use std::collections::BTreeMap;

use axum::{Json, extract::State};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_domain::{ids::UploadId, uploads::Upload};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{find, over};
use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
};

/// Addresses of parts that one call may ask for.
const MOST_PARTS: usize = 100;

/// Where to put a part.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartUrl {
    /// Counts from 1.
    part_number: u32,
    url: String,
}

/// One PUT of the whole file, with exactly these headers.
#[derive(Debug)]
pub(super) struct WholeUrl {
    pub(super) url: String,
    pub(super) headers: BTreeMap<String, String>,
}

/// Addresses of parts, or of the whole file.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct PartUrls {
    parts: Vec<PartUrl>,
    /// Instead of parts, when the upload is a single PUT. 412 from there says that the file has arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    url: Option<String>,
    /// Those of the single PUT.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    headers: Option<BTreeMap<String, String>>,
}

/// Parts whose addresses are wanted; of no meaning for a single PUT.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SignPartsRequest {
    #[schema(min_items = 1, max_items = 100)]
    part_numbers: Vec<u32>,
}

/// Addresses for further parts, or again for the single PUT. A sign of life.
#[utoipa::path(
    post, path = "/api/uploads/{id}/parts", operation_id = "sign_upload_parts", tag = "uploads",
    params(("id" = UploadId, Path)), request_body = SignPartsRequest,
    responses(
        (status = 200, body = PartUrls),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`upload_over`: it became a video, was aborted or has expired", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
pub(super) async fn sign_parts(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<UploadId>,
    Body(body): Body<SignPartsRequest>,
) -> Result<Json<PartUrls>, Problem> {
    let upload = find(&app, id, caller.user.id).await?;
    let Some(plan) = upload.parts() else {
        alive(&app, &upload).await?;
        let WholeUrl { url, headers } = sign_whole(&app, &upload).await?;
        return Ok(Json(PartUrls {
            url: Some(url),
            headers: Some(headers),
            ..PartUrls::default()
        }));
    };
    let mut check = Check::default();
    let count = body.part_numbers.len();
    check.that(
        "part_numbers",
        (1..=MOST_PARTS).contains(&count),
        "must be 1 to 100 numbers",
    );
    let known = body.part_numbers.iter().all(|&n| plan.has(n));
    check.that(
        "part_numbers",
        known,
        &format!("must be from 1 to {}", plan.part_count),
    );
    check.finish()?;
    alive(&app, &upload).await?;
    let parts = sign(&app, &upload, body.part_numbers).await?;
    Ok(Json(PartUrls {
        parts,
        ..PartUrls::default()
    }))
}

/// Notes a sign of life.
async fn alive(app: &App, upload: &Upload) -> Result<(), Problem> {
    if Upload::keep(&app.db, upload.id, app.settings.abandon_after).await? {
        Ok(())
    } else {
        Err(over())
    }
}

/// The address for the whole file.
pub(super) async fn sign_whole(app: &App, upload: &Upload) -> Result<WholeUrl, Problem> {
    let ttl = app.settings.upload_url_ttl;
    let put = app
        .storage
        .presign_put(&upload.key, &upload.content_type, upload.size, ttl)
        .await?;
    Ok(WholeUrl {
        url: put.url,
        headers: put.headers.into_iter().collect(),
    })
}

/// Addresses for these parts of an upload.
pub(super) async fn sign(
    app: &App,
    upload: &Upload,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<Vec<PartUrl>, Problem> {
    let s3_id = upload.s3_upload_id.as_deref().unwrap_or_default();
    let urls = stream::iter(numbers).then(|part_number| async move {
        let number = i32::try_from(part_number)?;
        let url = app
            .storage
            .presign_part(&upload.key, s3_id, number, app.settings.upload_url_ttl)
            .await?;
        Ok::<_, Problem>(PartUrl { part_number, url })
    });
    urls.try_collect().await
}
