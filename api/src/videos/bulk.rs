//! The same change of many of one's own videos, by a job.

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    ids::VideoId,
    videos::{self, BulkChange, BulkEdit, Category, Visibility},
};
use millrace_jobs::flows;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    app::App,
    auth::CurrentUser,
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
};

/// Videos of one change.
const MOST: usize = 500;

/// The routes of this module.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(change_videos))
        .routes(routes!(get_bulk_edit))
}

/// What is to be done to which of one's own videos. Deleting and restoring exclude everything else.
#[derive(Debug, Deserialize, ToSchema)]
struct ChangeVideosRequest {
    /// At most 500.
    #[schema(min_items = 1, max_items = 500)]
    videos: Vec<VideoId>,
    visibility: Option<Visibility>,
    category: Option<Category>,
    /// A video keeps at most 20 tags.
    #[serde(default)]
    #[schema(max_items = 20)]
    add_tags: Vec<String>,
    #[serde(default)]
    #[schema(max_items = 20)]
    remove_tags: Vec<String>,
    /// Into the trash.
    #[serde(default)]
    delete: bool,
    /// Out of the trash.
    #[serde(default)]
    restore: bool,
}

/// How far it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BulkEdit)]
struct BulkView {
    id: Uuid,
    total: i32,
    done: i32,
    /// Those of `done` that were not there (any more).
    skipped: i32,
    finished: bool,
}

impl BulkView {
    fn new(edit: &BulkEdit) -> Self {
        Self {
            id: edit.id,
            total: i32::try_from(edit.videos.len()).unwrap_or(i32::MAX),
            done: edit.done,
            skipped: edit.skipped,
            finished: edit.finished,
        }
    }
}

/// Changes many of one's own videos. A job does it; ask how far it is.
#[utoipa::path(
    post, path = "/api/bulk_edits", operation_id = "change_videos", tag = "videos", request_body = ChangeVideosRequest,
    responses(
        (status = 202, body = BulkView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn change_videos(
    State(app): State<App>,
    caller: CurrentUser,
    Body(body): Body<ChangeVideosRequest>,
) -> Result<(StatusCode, Json<BulkView>), Problem> {
    let (mut ids, change) = check(body)?;
    ids.sort_unstable();
    ids.dedup();
    let edit = BulkEdit {
        id: Uuid::now_v7(),
        owner: caller.user.id,
        videos: ids,
        change,
        done: 0,
        skipped: 0,
        finished: false,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let wake = flows::change_many(&mut tx, &edit).await?;
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok((StatusCode::ACCEPTED, Json(BulkView::new(&edit))))
}

fn check(body: ChangeVideosRequest) -> Result<(Vec<VideoId>, BulkChange), Problem> {
    let mut check = Check::default();
    let count = (1..=MOST).contains(&body.videos.len());
    check.that("videos", count, "must be from 1 to 500");
    let mut tags = |field: &str, texts: &[String]| {
        let tags = videos::tags(texts);
        let message = "must be at most 20 of 1 to 30 characters, without commas";
        check.that(field, tags.is_some(), message);
        tags.unwrap_or_default()
    };
    let change = BulkChange {
        visibility: body.visibility,
        category: body.category,
        add_tags: tags("add_tags", &body.add_tags),
        remove_tags: tags("remove_tags", &body.remove_tags),
        delete: body.delete,
        restore: body.restore,
    };
    let edits = change.visibility.is_some()
        || change.category.is_some()
        || !change.add_tags.is_empty()
        || !change.remove_tags.is_empty();
    let wishes = [edits, change.delete, change.restore];
    let one = wishes.iter().filter(|&&wish| wish).count() == 1;
    check.that(
        "delete",
        one,
        "ask for a change, for delete, or for restore",
    );
    check.finish()?;
    Ok((body.videos, change))
}

/// How far a change of many videos is.
#[utoipa::path(
    get, path = "/api/bulk_edits/{id}", operation_id = "get_bulk_edit", tag = "videos", params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = BulkView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: also for somebody else's", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn get_bulk_edit(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<Uuid>,
) -> Result<Json<BulkView>, Problem> {
    let edit = BulkEdit::find(&app.db, id)
        .await?
        .filter(|edit| edit.owner == caller.user.id)
        .ok_or_else(Problem::not_found)?;
    Ok(Json(BulkView::new(&edit)))
}
