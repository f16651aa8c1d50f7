//! Addresses of parts, a few at a time: they end, and a file has thousands.

use axum::{Json, extract::State};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_domain::{ids::UploadId, uploads::Upload};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::find;
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

/// Addresses of parts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartUrls {
    parts: Vec<PartUrl>,
}

/// Parts whose addresses are wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct SignPartsRequest {
    #[schema(min_items = 1, max_items = 100)]
    part_numbers: Vec<u32>,
}

/// Addresses for further parts.
#[utoipa::path(
    post, path = "/api/uploads/{id}/parts", operation_id = "sign_upload_parts", tag = "uploads",
    params(("id" = UploadId, Path)), request_body = SignPartsRequest,
    responses(
        (status = 200, body = PartUrls),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`conflict`: it is over, or has no parts", body = ProblemBody, content_type = "application/problem+json"),
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
        return Err(Problem::conflict("conflict", "this upload has no parts"));
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
    if !Upload::keep(&app.db, id, app.settings.abandon_after).await? {
        return Err(Problem::conflict("conflict", "the upload is over"));
    }
    let parts = sign(&app, &upload, body.part_numbers).await?;
    Ok(Json(PartUrls { parts }))
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
