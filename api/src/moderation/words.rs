//! The word list for comments: auditors read it, administrators change it while everything runs.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State, http::StatusCode};
use millrace_domain::{
    audit::{self, Entry},
    ids::WordId,
    moderation::{self, LONGEST_WORD, Word, WordList, WordMode},
};
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::OfRequest;
use crate::{
    app::App,
    auth::{Admin, Auditor},
    input::{Body, Check, Id},
    problem::{Problem, ProblemBody},
};

/// How long a process believes the list that it has read: a change counts everywhere within that.
const BELIEVED: Duration = Duration::from_secs(5);

/// The list as this process remembers it; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Words(Cache<(), Arc<WordList>>);

impl Words {
    /// Nothing is read before the first comment.
    pub(crate) fn new() -> Self {
        Self(
            Cache::builder()
                .max_capacity(1)
                .time_to_live(BELIEVED)
                .build(),
        )
    }

    /// What the list does to a comment.
    ///
    /// # Errors
    /// When the list cannot be read: then no comment is taken, or one could slip by.
    pub(crate) async fn judge(
        &self,
        db: &PgPool,
        comment: &str,
    ) -> Result<Option<WordMode>, Problem> {
        let read = async {
            let list = WordList::load(db).await.map_err(anyhow::Error::from)?;
            Ok::<_, anyhow::Error>(Arc::new(list))
        };
        let list = self.0.try_get_with((), read).await;
        let list = list.map_err(|error| Problem::shared(&error))?;
        Ok(list.judge(comment))
    }

    async fn forget(&self) {
        self.0.invalidate(&()).await;
    }
}

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_words, add_word))
        .routes(routes!(remove_word))
        .routes(routes!(try_words))
}

/// The whole list.
#[derive(Debug, Serialize, ToSchema)]
struct CommentWordList {
    items: Vec<Word>,
}

/// A word, and what it does to comments.
#[derive(Debug, Deserialize, ToSchema)]
struct AddWordRequest {
    /// A word or a phrase.
    #[schema(min_length = 1, max_length = 100)]
    text: String,
    mode: WordMode,
}

/// A comment as somebody might write it.
#[derive(Debug, Deserialize, ToSchema)]
struct TryWordsRequest {
    #[schema(max_length = 5000)]
    body: String,
}

/// What the list would do to it; nothing if it would be shown.
#[derive(Debug, Serialize, ToSchema)]
struct TriedWords {
    #[schema(required)]
    mode: Option<WordMode>,
}

/// The words that comments are refused or held for.
#[utoipa::path(
    get, path = "/api/admin/words", operation_id = "list_comment_words", tag = "moderation",
    responses(
        (status = 200, body = CommentWordList),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn list_words(State(app): State<App>, _: Auditor) -> Result<Json<CommentWordList>, Problem> {
    let items = moderation::words(&app.db).await?;
    Ok(Json(CommentWordList { items }))
}

/// Adds a word. It counts for comments that are written from now on: here at once, in other processes within 5 seconds.
#[utoipa::path(
    post, path = "/api/admin/words", operation_id = "add_comment_word", tag = "moderation", request_body = AddWordRequest,
    responses(
        (status = 201, body = Word),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`word_known`: it is on the list, however it is written; or the list is full", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn add_word(
    State(app): State<App>,
    Admin(caller): Admin,
    request: OfRequest,
    Body(body): Body<AddWordRequest>,
) -> Result<(StatusCode, Json<Word>), Problem> {
    let mut check = Check::default();
    let text = check.line("text", &body.text, 1, LONGEST_WORD);
    check.that(
        "text",
        !moderation::fold(&text).is_empty(),
        "must hold something that can be seen",
    );
    check.finish()?;
    let mut tx = millrace_bus::begin(&app.db).await?;
    let word = moderation::add_word(&mut *tx, &text, body.mode, caller.user.id)
        .await?
        .ok_or_else(|| Problem::conflict("word_known", "it is on the list, or the list is full"))?;
    let actor = request.actor(&caller);
    audit::write(&mut *tx, &actor, entry("add_word", &word)).await?;
    tx.commit().await?;
    app.words.forget().await;
    Ok((StatusCode::CREATED, Json(word)))
}

/// Takes a word from the list.
#[utoipa::path(
    delete, path = "/api/admin/words/{id}", operation_id = "remove_comment_word", tag = "moderation", params(("id" = WordId, Path)),
    responses(
        (status = 204, description = "it is not on the list"),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "`not_found`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn remove_word(
    State(app): State<App>,
    Admin(caller): Admin,
    request: OfRequest,
    Id(id): Id<WordId>,
) -> Result<StatusCode, Problem> {
    let mut tx = millrace_bus::begin(&app.db).await?;
    let word = moderation::remove_word(&mut *tx, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let actor = request.actor(&caller);
    audit::write(&mut *tx, &actor, entry("remove_word", &word)).await?;
    tx.commit().await?;
    app.words.forget().await;
    Ok(StatusCode::NO_CONTENT)
}

/// What the list would do to a comment.
#[utoipa::path(
    post, path = "/api/admin/words/try", operation_id = "try_comment_words", tag = "moderation", request_body = TryWordsRequest,
    responses(
        (status = 200, body = TriedWords),
        (status = 401, description = "`unauthenticated`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "`forbidden` or `second_factor_needed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security(("bearer" = []))
)]
async fn try_words(
    State(app): State<App>,
    _: Auditor,
    Body(body): Body<TryWordsRequest>,
) -> Result<Json<TriedWords>, Problem> {
    let mut check = Check::default();
    let text = check.text("body", &body.body, 5_000);
    check.finish()?;
    let mode = app.words.judge(&app.db, &text).await?;
    Ok(Json(TriedWords { mode }))
}

fn entry<'a>(action: &'a str, word: &'a Word) -> Entry<'a> {
    let told = json!({ "text": word.text, "mode": word.mode });
    let added = action == "add_word";
    Entry {
        action,
        target: "word",
        target_id: Some(word.id.0),
        reason: "",
        before: (!added).then(|| told.clone()),
        after: added.then_some(told),
    }
}
