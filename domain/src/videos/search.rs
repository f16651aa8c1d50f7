//! Lists of videos by keyset: no item twice or missing while rows come and go.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{Category, Status, Video, Visibility, record::select_video};
use crate::ids::UserId;

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// Newest first.
    #[default]
    New,
    /// Oldest first.
    Old,
    /// By title.
    Title,
    /// Most views first.
    Views,
}

/// What to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// This person's videos in every state; `None` for public ones that can be watched.
    pub owner: Option<UserId>,
    /// Words of the title or the description, or any part of the title.
    pub query: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only of this kind.
    pub category: Option<Category>,
    /// Only with this visibility.
    pub visibility: Option<Visibility>,
    /// Only in this state.
    pub status: Option<Status>,
    /// What is in the trash, and only that.
    pub trash: bool,
    pub sort: Sort,
    /// Where the last page ended; one that was not made by [`list`] for this sort is ignored.
    pub cursor: Option<String>,
    /// At most 100.
    pub limit: i64,
}

/// One page and where the next begins.
#[derive(Debug, Clone)]
pub struct Page {
    pub items: Vec<Video>,
    pub next_cursor: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    s: Sort,
    t: DateTime<Utc>,
    n: String,
    #[serde(default)]
    v: i64,
    i: Uuid,
}

impl Place {
    fn read(text: &str, sort: Sort) -> Option<Self> {
        let place: Self = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        (place.s == sort).then_some(place)
    }

    fn write(sort: Sort, video: &Video) -> Option<String> {
        let place = Self {
            s: sort,
            t: video.created_at,
            n: video.title.clone(),
            v: video.views,
            i: video.id.0,
        };
        serde_json::to_vec(&place)
            .ok()
            .map(|json| URL_SAFE_NO_PAD.encode(json))
    }
}

/// A page of videos.
///
/// # Errors
/// Those of the statement.
pub async fn list(db: impl PgExecutor<'_>, filter: &Filter) -> Result<Page, sqlx::Error> {
    let limit = filter.limit.clamp(1, 100);
    let after = filter
        .cursor
        .as_deref()
        .and_then(|c| Place::read(c, filter.sort));
    let views = after.as_ref().map(|p| p.v);
    let (time, title, id) = after.map_or((None, None, None), |p| (Some(p.t), Some(p.n), Some(p.i)));
    let owner = filter.owner.map(|o| o.0);
    let visibility = filter.visibility.map(Visibility::word);
    let status = filter.status.map(Status::word);
    let (tag, category) = (filter.tag.as_deref(), filter.category.map(Category::word));
    let query = filter
        .query
        .as_deref()
        .map(str::trim)
        .filter(|q| !q.is_empty());
    // Trigrams find any part of a title, Chinese included; underscores and percents of the person's are text.
    let like = query.map(|q| {
        format!(
            "%{}%",
            q.replace('\\', "\\\\")
                .replace('%', "\\%")
                .replace('_', "\\_")
        )
    });
    let videos = match filter.sort {
        Sort::New => {
            select_video!(
                "where (case when $1::uuid is null then v.visibility = 'public' and v.playable_at is not null and v.status <> 'failed'
                             else v.user_id = $1 end)
                   and ($2::text is null or v.search @@ websearch_to_tsquery('simple', $2) or v.title ilike $3)
                   and ($7::text is null or v.tags @> array[$7]) and ($8::text is null or v.category = $8)
                   and (v.deleted_at is not null) = $9
                   and ($10::text is null or v.visibility = $10) and ($11::text is null or v.status = $11)
                   and ($4::timestamptz is null or (v.created_at, v.id) < ($4, $5::uuid))
                 order by v.created_at desc, v.id desc limit $6",
                owner, query, like, time, id, limit + 1, tag, category, filter.trash, visibility, status
            )
            .fetch_all(db)
            .await?
        }
        Sort::Old => {
            select_video!(
                "where (case when $1::uuid is null then v.visibility = 'public' and v.playable_at is not null and v.status <> 'failed'
                             else v.user_id = $1 end)
                   and ($2::text is null or v.search @@ websearch_to_tsquery('simple', $2) or v.title ilike $3)
                   and ($7::text is null or v.tags @> array[$7]) and ($8::text is null or v.category = $8)
                   and (v.deleted_at is not null) = $9
                   and ($10::text is null or v.visibility = $10) and ($11::text is null or v.status = $11)
                   and ($4::timestamptz is null or (v.created_at, v.id) > ($4, $5::uuid))
                 order by v.created_at, v.id limit $6",
                owner, query, like, time, id, limit + 1, tag, category, filter.trash, visibility, status
            )
            .fetch_all(db)
            .await?
        }
        Sort::Title => {
            select_video!(
                "where (case when $1::uuid is null then v.visibility = 'public' and v.playable_at is not null and v.status <> 'failed'
                             else v.user_id = $1 end)
                   and ($2::text is null or v.search @@ websearch_to_tsquery('simple', $2) or v.title ilike $3)
                   and ($7::text is null or v.tags @> array[$7]) and ($8::text is null or v.category = $8)
                   and (v.deleted_at is not null) = $9
                   and ($10::text is null or v.visibility = $10) and ($11::text is null or v.status = $11)
                   and ($4::text is null or (v.title, v.id) > ($4, $5::uuid))
                 order by v.title, v.id limit $6",
                owner, query, like, title, id, limit + 1, tag, category, filter.trash, visibility, status
            )
            .fetch_all(db)
            .await?
        }
        Sort::Views => {
            select_video!(
                "where (case when $1::uuid is null then v.visibility = 'public' and v.playable_at is not null and v.status <> 'failed'
                             else v.user_id = $1 end)
                   and ($2::text is null or v.search @@ websearch_to_tsquery('simple', $2) or v.title ilike $3)
                   and ($7::text is null or v.tags @> array[$7]) and ($8::text is null or v.category = $8)
                   and (v.deleted_at is not null) = $9
                   and ($10::text is null or v.visibility = $10) and ($11::text is null or v.status = $11)
                   and ($4::bigint is null or (v.views, v.id) < ($4, $5::uuid))
                 order by v.views desc, v.id desc limit $6",
                owner, query, like, views, id, limit + 1, tag, category, filter.trash, visibility, status
            )
            .fetch_all(db)
            .await?
        }
    };
    let more = videos.len() as i64 > limit;
    let items: Vec<Video> = videos.into_iter().take(limit as usize).collect();
    let next_cursor = items
        .last()
        .filter(|_| more)
        .and_then(|v| Place::write(filter.sort, v));
    Ok(Page { items, next_cursor })
}
