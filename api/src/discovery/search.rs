//! Videos and channels by words.
#![expect(
    unused_qualifications,
    reason = "utoipa's macros qualify the names of query structs"
)]

use axum::{Json, extract::State};
use chrono::{TimeDelta, Utc};
use millrace_domain::{
    channels::Channel,
    ids::UserId,
    search::{self, Fineness, FoundChannel, Length, SearchFilter, SearchSort},
    videos::{self, Category},
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
    snapshot::snapshot,
    social::{
        channels::avatar_url,
        pages::{video_page, wanted},
    },
    videos::VideoView,
};

/// Channels above the videos.
const CHANNELS: i64 = 3;

/// The routes of this module.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(search))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Words; `"a phrase"`, `-without`, and `or` are understood.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    #[param(inline)]
    sort: Option<SearchSort>,
    #[param(inline)]
    duration: Option<Length>,
    #[param(inline)]
    date: Option<DateFilter>,
    #[param(inline)]
    quality: Option<Fineness>,
    /// Only of the channel with this name.
    #[param(max_length = 50)]
    owner: Option<String>,
    /// Only those with this tag.
    #[param(max_length = 60)]
    tag: Option<String>,
    /// Only of this kind.
    #[param(inline)]
    category: Option<Category>,
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many; 24 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// How old a video is at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DateFilter {
    Day,
    Week,
    Month,
    Year,
}

/// A channel whose name is like the words.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FoundChannel)]
struct ChannelHit {
    id: UserId,
    username: String,
    #[schema(required)]
    avatar_url: Option<String>,
    followers: i64,
}

/// A page of what was found.
#[derive(Debug, Serialize, ToSchema)]
struct SearchPage {
    items: Vec<VideoView>,
    /// Channels whose name is like the words; on the first page only.
    channels: Vec<ChannelHit>,
    /// What was looked for instead, because no video has the words as they were typed.
    #[schema(required)]
    corrected: Option<String>,
    /// No video has all the words; these have some of them.
    some: bool,
    /// For the next page; none on the last.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl From<FoundChannel> for ChannelHit {
    fn from(channel: FoundChannel) -> Self {
        Self {
            id: channel.id,
            username: channel.username,
            avatar_url: avatar_url(channel.avatar.as_deref()),
            followers: channel.followers,
        }
    }
}

impl SearchQuery {
    /// What the domain is asked for.
    fn filter(&self, query: &str, owner: Option<UserId>) -> SearchFilter {
        let days = self.date.map(|date| match date {
            DateFilter::Day => 1,
            DateFilter::Week => 7,
            DateFilter::Month => 31,
            DateFilter::Year => 366,
        });
        SearchFilter {
            query: query.to_owned(),
            sort: self.sort.unwrap_or_default(),
            owner,
            // What cannot be a tag is on no video.
            tag: self
                .tag
                .as_deref()
                .map(|tag| videos::tag(tag).unwrap_or_else(|| "\u{1}".to_owned())),
            category: self.category,
            quality: self.quality,
            length: self.duration,
            since: days.map(|days| Utc::now() - TimeDelta::days(days)),
        }
    }
}

/// Videos that everybody may find, by words, and channels by name. Words of Chinese, Japanese and Korean are found inside
/// longer ones. What nobody says is looked for as it is probably spelt (`corrected`), and then by some of the words (`some`).
#[utoipa::path(
    get, path = "/api/search", operation_id = "search_videos", tag = "discovery", params(SearchQuery),
    responses(
        (status = 200, body = SearchPage),
        (status = 400, description = "`validation`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the token is not valid any more", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "`throttled`", body = ProblemBody, content_type = "application/problem+json"),
    ),
    security((), ("bearer" = []))
)]
async fn search(
    State(app): State<App>,
    caller: MaybeUser,
    address: Address,
    Params(query): Params<SearchQuery>,
) -> Result<Json<SearchPage>, Problem> {
    let text = typed(&query.q)?;
    let wanted = wanted(query.cursor.clone(), query.limit)?;
    questioned(
        &app,
        &caller,
        &address,
        "search",
        app.settings.search_bucket,
    )
    .await?;
    let mut conn = snapshot(&app.db).await?;
    let owner = match query.owner.as_deref() {
        None => None,
        Some(name) => {
            let known = name.chars().count() <= 50 && !name.chars().any(char::is_control);
            let channel = if known {
                Channel::find(&mut *conn, name, None).await?
            } else {
                None
            };
            // Of nobody, nothing is found.
            Some(channel.map_or(UserId(uuid::Uuid::nil()), |channel| channel.id))
        }
    };
    let filter = query.filter(text, owner);
    let found = search::find(&mut conn, &filter, &wanted).await?;
    let channels = if wanted.cursor.is_none() && owner.is_none() {
        search::channels(&mut *conn, text, CHANNELS).await?
    } else {
        Vec::new()
    };
    let page = video_page(&mut conn, found.page, &app.playback).await?;
    Ok(Json(SearchPage {
        items: page.items,
        channels: channels.into_iter().map(ChannelHit::from).collect(),
        corrected: found.corrected,
        some: found.some,
        next_cursor: page.next_cursor,
    }))
}
