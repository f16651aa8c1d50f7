//! What people write below videos.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use millrace_domain::{
    accounts,
    comments::{self, Change, Comment, CommentSort, LONGEST, NewComment, Withheld},
    ids::{CommentId, DecisionId, UserId, VideoId},
    moderation::{self, WordMode},
    reports,
    videos::Video,
};
use millrace_jobs::flows;
use millrace_queue::Wake;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    channels::avatar_url,
    pages::{PageQuery, gesture, wanted, watchable},
};
use crate::{
    app::App,
    auth::{CurrentUser, MaybeUser},
    input::{Body, Check, Id, Params},
    problem::{Problem, ProblemBody},
    snapshot::snapshot,
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_comments, create_comment))
        .routes(routes!(get_comment, update_comment, delete_comment))
        .routes(routes!(list_replies))
}

/// Who wrote it.
#[derive(Debug, Serialize, ToSchema)]
struct Author {
    id: UserId,
    username: String,
    #[schema(required)]
    avatar_url: Option<String>,
}

/// A comment as the caller sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Comment)]
struct CommentView {
    id: CommentId,
    video_id: VideoId,
    author: Author,
    /// The thread that it belongs to, if it is a reply.
    #[schema(required)]
    parent_id: Option<CommentId>,
    body: String,
    likes: i32,
    replies: i32,
    pinned: bool,
    /// Whether the caller likes it.
    liked: bool,
    /// Why nobody but its author, the caller, sees it.
    #[schema(required)]
    withheld: Option<Withheld>,
    /// The decision of staff that hides it.
    #[schema(required)]
    hidden_by: Option<DecisionId>,
    #[schema(required)]
    edited_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
}

impl From<Comment> for CommentView {
    fn from(comment: Comment) -> Self {
        Self {
            id: comment.id,
            video_id: comment.video_id,
            author: Author {
                id: comment.user_id,
                username: comment.username,
                avatar_url: avatar_url(comment.avatar.as_deref()),
            },
            parent_id: comment.parent_id,
            body: comment.body,
            likes: comment.likes,
            replies: comment.replies,
            pinned: comment.pinned,
            liked: comment.liked,
            withheld: comment.withheld,
            hidden_by: comment.hidden_by,
            edited_at: comment.edited_at,
            created_at: comment.created_at,
        }
    }
}

/// A page of comments.
#[derive(Debug, Serialize, ToSchema)]
struct CommentPage {
    items: Vec<CommentView>,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
    /// All comments of the video, replies included.
    total: i64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct CommentsQuery {
    #[param(inline)]
    sort: Option<CommentSort>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// What somebody writes.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateCommentRequest {
    #[schema(min_length = 1, max_length = 5000)]
    body: String,
    /// What it answers: a comment or a reply of the same video.
    parent_id: Option<CommentId>,
}

/// What its author changes it to.
#[derive(Debug, Deserialize, ToSchema)]
struct UpdateCommentRequest {
    #[schema(min_length = 1, max_length = 5000)]
    body: String,
}

/// The comment and its video, if `viewer` may see them: 404 otherwise.
pub(super) async fn visible(
    conn: &mut PgConnection,
    id: CommentId,
    viewer: Option<UserId>,
) -> Result<(Comment, Video), Problem> {
    let comment = Comment::find(&mut *conn, id, viewer)
        .await?
        .filter(|comment| comment.shown_to(viewer))
        .ok_or_else(Problem::not_found)?;
    // A thread that is withheld takes the replies to it along.
    if let Some(thread) = comment.parent_id {
        Comment::find(&mut *conn, thread, viewer)
            .await?
            .filter(|thread| thread.shown_to(viewer))
            .ok_or_else(Problem::not_found)?;
    }
    let video = watchable(conn, comment.video_id, viewer).await?;
    Ok((comment, video))
}

/// Whether the word list holds a comment back; 422 if it refuses it.
async fn judged(app: &App, text: &str) -> Result<bool, Problem> {
    match app.words.judge(&app.db, text).await? {
        Some(WordMode::Refuse) => Err(Problem::refused(
            "comment_refused",
            "it holds words that are not allowed",
        )),
        Some(WordMode::Hold) => Ok(true),
        None => Ok(false),
    }
}

/// Shows a comment to its author alone, until staff have read it.
async fn hold(
    conn: &mut PgConnection,
    id: CommentId,
    author: UserId,
    text: &str,
) -> Result<(), sqlx::Error> {
    if moderation::hold_comment(&mut *conn, id).await? {
        reports::file_held(conn, id, author, text).await?;
    }
    Ok(())
}

fn checked(body: &str) -> Result<String, Problem> {
    let mut check = Check::default();
    let body = check.text("body", body, LONGEST);
    check.that("body", !body.is_empty(), "must not be empty");
    check.finish()?;
    Ok(body)
}

/// The threads of a video, the pinned one first.
#[utoipa::path(
    get, path = "/api/videos/{id}/comments", operation_id = "list_comments", tag = "viewers", params(("id" = VideoId, Path), CommentsQuery),
    responses(
        (status = 200, body = CommentPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_comments(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<VideoId>,
    Params(query): Params<CommentsQuery>,
) -> Result<Json<CommentPage>, Problem> {
    let wanted = wanted(query.cursor, query.limit)?;
    let sort = query.sort.unwrap_or_default();
    let mut conn = snapshot(&app.db).await?;
    watchable(&mut conn, id, caller.id()).await?;
    let page = comments::threads(&mut conn, id, sort, caller.id(), &wanted).await?;
    let total = comments::count(&mut *conn, id).await?;
    let page = page.map(CommentView::from);
    Ok(Json(CommentPage {
        items: page.items,
        next_cursor: page.next_cursor,
        total,
    }))
}

/// Writes a comment, or a reply. The owner of the video and whoever watches see it at once.
#[utoipa::path(
    post, path = "/api/videos/{id}/comments", operation_id = "create_comment", tag = "viewers", params(("id" = VideoId, Path)),
    request_body = CreateCommentRequest,
    responses(
        (status = 201, body = CommentView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or private", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`comment_gone`: what it answers was deleted", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `comment_refused`: it holds words that are not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn create_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<VideoId>,
    Body(body): Body<CreateCommentRequest>,
) -> Result<(StatusCode, Json<CommentView>), Problem> {
    let text = checked(&body.body)?;
    let author = caller.user.id;
    let key = format!("comment:{author}");
    if let Some(wait) = accounts::take(&app.db, &key, app.settings.comment_bucket).await? {
        return Err(Problem::throttled(wait));
    }
    let held = judged(&app, &text).await?;
    let new = NewComment {
        id: CommentId::new(),
        video: id,
        author,
        parent: body.parent_id,
        body: text,
    };
    let mut tx = millrace_bus::begin(&app.db).await?;
    let video = watchable(&mut tx, id, Some(author)).await?;
    if !Comment::insert(&mut *tx, &new).await? {
        return Err(Problem::conflict(
            "comment_gone",
            "what it answers is not there any more",
        ));
    }
    if held {
        hold(&mut tx, new.id, author, &new.body).await?;
    }
    let comment = Comment::find(&mut *tx, new.id, Some(author))
        .await?
        .ok_or_else(Problem::not_found)?;
    // Who would be told of what is held hears of it once staff have read it.
    let mut wake = Wake::none();
    if !held {
        wake.merge(flows::tell_of_comment(&mut tx, &video, &comment).await?);
        let changed = comments::changed(&mut tx, id, new.id, comment.parent_id, Change::Written);
        wake.merge(changed.await?);
    }
    tx.commit().await?;
    wake.fire(&app.notifier);
    Ok((StatusCode::CREATED, Json(comment.into())))
}

/// One comment.
#[utoipa::path(
    get, path = "/api/comments/{id}", operation_id = "get_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 200, body = CommentView),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`: absent, or the video is private", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn get_comment(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<CommentId>,
) -> Result<Json<CommentView>, Problem> {
    let mut conn = snapshot(&app.db).await?;
    let (comment, _) = visible(&mut conn, id, caller.id()).await?;
    Ok(Json(comment.into()))
}

/// Changes a comment of one's own.
#[utoipa::path(
    patch, path = "/api/comments/{id}", operation_id = "update_comment", tag = "viewers", params(("id" = CommentId, Path)),
    request_body = UpdateCommentRequest,
    responses(
        (status = 200, body = CommentView),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: somebody else wrote it", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`; `comment_refused`: it holds words that are not allowed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn update_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
    Body(body): Body<UpdateCommentRequest>,
) -> Result<Json<CommentView>, Problem> {
    let text = checked(&body.body)?;
    let user = caller.user.id;
    gesture(&app, user).await?;
    let held = judged(&app, &text).await?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (comment, _) = visible(&mut tx, id, Some(user)).await?;
    if comment.user_id != user {
        return Err(Problem::forbidden("somebody else wrote it"));
    }
    let hint = if Comment::edit(&mut *tx, id, user, &text).await? {
        if held {
            hold(&mut tx, id, user, &text).await?;
        }
        let changed = comments::changed(
            &mut tx,
            comment.video_id,
            id,
            comment.parent_id,
            if held {
                Change::Deleted
            } else {
                Change::Edited
            },
        );
        Some(changed.await?)
    } else {
        None // It said so already.
    };
    let comment = Comment::find(&mut *tx, id, Some(user))
        .await?
        .ok_or_else(Problem::not_found)?;
    tx.commit().await?;
    if let Some(hint) = hint {
        hint.fire(&app.notifier);
    }
    Ok(Json(comment.into()))
}

/// Deletes a comment and the replies to it: one's own, or below one's own video.
#[utoipa::path(
    delete, path = "/api/comments/{id}", operation_id = "delete_comment", tag = "viewers", params(("id" = CommentId, Path)),
    responses(
        (status = 204, description = "gone"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden`: neither the comment nor the video is the caller's", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn delete_comment(
    State(app): State<App>,
    caller: CurrentUser,
    Id(id): Id<CommentId>,
) -> Result<StatusCode, Problem> {
    let user = caller.user.id;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let (comment, _) = visible(&mut tx, id, Some(user)).await?;
    if !Comment::delete(&mut *tx, id, user).await? {
        return Err(Problem::forbidden(
            "neither the comment nor the video is yours",
        ));
    }
    let hint = comments::changed(
        &mut tx,
        comment.video_id,
        id,
        comment.parent_id,
        Change::Deleted,
    );
    let hint = hint.await?;
    tx.commit().await?;
    hint.fire(&app.notifier);
    Ok(StatusCode::NO_CONTENT)
}

/// The replies of a thread, oldest first.
#[utoipa::path(
    get, path = "/api/comments/{id}/replies", operation_id = "list_replies", tag = "viewers", params(("id" = CommentId, Path), PageQuery),
    responses(
        (status = 200, body = CommentPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn list_replies(
    State(app): State<App>,
    caller: MaybeUser,
    Id(id): Id<CommentId>,
    Params(query): Params<PageQuery>,
) -> Result<Json<CommentPage>, Problem> {
    let wanted = query.wanted()?;
    let mut conn = snapshot(&app.db).await?;
    let (thread, _) = visible(&mut conn, id, caller.id()).await?;
    let page = comments::replies(&mut *conn, id, caller.id(), &wanted).await?;
    let total = comments::count(&mut *conn, thread.video_id).await?;
    let page = page.map(CommentView::from);
    Ok(Json(CommentPage {
        items: page.items,
        next_cursor: page.next_cursor,
        total,
    }))
}
