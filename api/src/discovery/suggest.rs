//! What is suggested while somebody types.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use millrace_domain::{
    ids::VideoId,
    search::{self, Suggestion},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{questioned, typed};
use crate::{
    address::Address,
    app::App,
    auth::MaybeUser,
    input::Params,
    problem::{Problem, ProblemBody},
};

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(suggest))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SuggestQuery {
    /// What was typed so far.
    #[param(min_length = 1, max_length = 200)]
    q: String,
}

/// What a suggestion leads to.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SuggestionKind {
    /// A search for these words.
    Words,
    /// The video with this title.
    Video,
    /// The channel with this name.
    Channel,
}

/// One suggestion.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suggestion)]
struct SuggestionView {
    kind: SuggestionKind,
    /// Words, a title, or a name.
    text: String,
    /// Of a video.
    #[schema(required)]
    video_id: Option<VideoId>,
}

/// Suggestions, the likeliest first, at most ten.
#[derive(Debug, Serialize, ToSchema)]
struct SuggestionList {
    items: Vec<SuggestionView>,
}

impl From<Suggestion> for SuggestionView {
    fn from(suggestion: Suggestion) -> Self {
        let (kind, text, video_id) = match suggestion {
            Suggestion::Words(text) => (SuggestionKind::Words, text, None),
            Suggestion::Video { id, title } => (SuggestionKind::Video, title, Some(id)),
            Suggestion::Channel { username } => (SuggestionKind::Channel, username, None),
        };
        Self {
            kind,
            text,
            video_id,
        }
    }
}

/// What somebody who typed this may be looking for: words, then videos, then channels.
#[utoipa::path(
    get, path = "/api/search/suggest", operation_id = "list_suggestions", tag = "discovery", params(SuggestQuery),
    responses(
        (status = 200, body = SuggestionList),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn suggest(
    State(app): State<App>,
    caller: MaybeUser,
    address: Address,
    Params(query): Params<SuggestQuery>,
) -> Result<Json<SuggestionList>, Problem> {
    let text = typed(&query.q)?;
    questioned(
        &app,
        &caller,
        &address,
        "suggest",
        app.settings.suggest_bucket,
    )
    .await?;
    let mut conn = app.db.acquire().await?;
    let found = search::suggest(&mut conn, text).await?;
    Ok(Json(SuggestionList {
        items: found.into_iter().map(SuggestionView::from).collect(),
    }))
}
