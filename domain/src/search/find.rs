//! Videos by words, page by page.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use uuid::Uuid;

use super::{
    question::Question,
    traits::{Fineness, Length, traits},
    words::corrected,
};
use crate::{
    ids::{UserId, VideoId},
    keyset::{Page, Wanted},
    videos::Category,
};

/// The order of what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchSort {
    /// What fits best. Of very common words the thousand videos that reach furthest are put in order.
    #[default]
    Relevance,
    /// Newest first.
    New,
    /// Most watched first.
    Views,
}

/// What to find.
#[derive(Debug, Clone, Default)]
pub struct SearchFilter {
    /// Words, as people type them: `"a phrase"`, `-without`, `or`.
    pub query: String,
    pub sort: SearchSort,
    pub owner: Option<UserId>,
    pub tag: Option<String>,
    pub category: Option<Category>,
    pub quality: Option<Fineness>,
    pub length: Option<Length>,
    pub since: Option<DateTime<Utc>>,
}

/// A page of what was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub page: Page<VideoId>,
    /// What was looked for instead, because nothing has the words as they were typed.
    pub corrected: Option<String>,
    /// Nothing has all the words; these have some.
    pub some: bool,
}

/// How the words were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Reading {
    All,
    Corrected,
    Any,
}

/// Where a page ended. `of` tells cursors of other questions, whose places mean nothing here.
#[derive(Debug, Serialize, Deserialize)]
struct Place {
    s: SearchSort,
    r: Reading,
    of: u64,
    k: i64,
    i: Uuid,
}

/// What all three orders ask of a document. With the values at hand (see [`rows`]) PostgreSQL drops the lines that ask
/// nothing, and knows whether a word is common.
macro_rules! fitting {
    () => {
        "d.words @@ search_question($1, $2)
            and ($3::uuid is null or d.user_id = $3) and ($4::text is null or d.tags @> array[$4])
            and ($5::text[] is null or search_traits(d.category, d.quality, d.duration) @> $5)
            and ($6::timestamptz is null or d.created_at >= $6)"
    };
}

const NEW: &str = concat!(
    "select d.video_id, (extract(epoch from d.created_at) * 1000000)::int8 as key from search_documents d
      where ",
    fitting!(),
    " and ($7::int8 is null or (d.created_at, d.video_id) < (timestamptz 'epoch' + $7 * interval '1 microsecond', $8::uuid))
      order by d.created_at desc, d.video_id desc limit $9"
);
const VIEWS: &str = concat!(
    "select d.video_id, p.views as key from video_popularity p join search_documents d on d.video_id = p.video_id
      where ",
    fitting!(),
    " and ($7::int8 is null or (p.views, p.video_id) < ($7, $8::uuid))
      order by p.views desc, p.video_id desc limit $9"
);
// A title that is short and says the words weighs most; a million views treble that.
const RELEVANCE: &str = concat!(
    "with hits as materialized (
         select d.video_id, d.words, d.reach from search_documents d
          where ",
    fitting!(),
    " order by d.reach desc, d.video_id desc limit 1000),
          scored as (
         select video_id, (1000000 * ts_rank('{0.05,0.2,0.5,1}', words, search_question($1, $2), 1) * (1 + reach / 40.0::float8))::int8 as key
           from hits)
     select video_id, key from scored
      where $7::int8 is null or (key, video_id) < ($7, $8::uuid)
      order by key desc, video_id desc limit $9"
);

/// A page of the videos that fit. What nobody says in these words is looked for as it is probably spelt, and then by some
/// of the words.
///
/// # Errors
/// Those of the statements.
pub async fn find(
    conn: &mut PgConnection,
    filter: &SearchFilter,
    wanted: &Wanted,
) -> Result<Found, sqlx::Error> {
    let after = wanted
        .place::<Place>()
        .filter(|place| place.s == filter.sort && place.of == name(&filter.query));
    let reading = after.as_ref().map(|place| place.r);
    if reading.is_none_or(|reading| reading == Reading::All) {
        let question = Question::all(&filter.query);
        let rows = rows(conn, filter, &question, after.as_ref(), wanted).await?;
        if reading.is_some() || !rows.is_empty() {
            return found(conn, filter, rows, wanted, Reading::All, None).await;
        }
    }
    if reading != Some(Reading::Any)
        && let Some(better) = corrected(&mut *conn, &filter.query).await?
    {
        let question = Question::all(&better);
        let rows = rows(conn, filter, &question, after.as_ref(), wanted).await?;
        if reading.is_some() || !rows.is_empty() {
            return found(conn, filter, rows, wanted, Reading::Corrected, Some(better)).await;
        }
    }
    let rows = match Question::any(&filter.query) {
        Some(question) => rows(conn, filter, &question, after.as_ref(), wanted).await?,
        None => Vec::new(),
    };
    found(conn, filter, rows, wanted, Reading::Any, None).await
}

async fn rows(
    conn: &mut PgConnection,
    filter: &SearchFilter,
    question: &Question,
    after: Option<&Place>,
    wanted: &Wanted,
) -> Result<Vec<(Uuid, i64)>, sqlx::Error> {
    let statement = match filter.sort {
        SearchSort::New => NEW,
        SearchSort::Views => VIEWS,
        SearchSort::Relevance => RELEVANCE,
    };
    sqlx::query(statement)
        // Planned with these values each time: the plan for a common word is ruinous for a rare one, and the reverse.
        .persistent(false)
        .bind(&question.words)
        .bind(&question.starts)
        .bind(filter.owner.map(|owner| owner.0))
        .bind(filter.tag.as_deref())
        .bind(traits(filter))
        .bind(filter.since)
        .bind(after.map(|place| place.k))
        .bind(after.map(|place| place.i))
        .bind(wanted.rows())
        .try_map(|row: PgRow| Ok((row.try_get("video_id")?, row.try_get("key")?)))
        .fetch_all(conn)
        .await
}

async fn found(
    conn: &mut PgConnection,
    filter: &SearchFilter,
    rows: Vec<(Uuid, i64)>,
    wanted: &Wanted,
    reading: Reading,
    corrected: Option<String>,
) -> Result<Found, sqlx::Error> {
    let some = reading == Reading::Any && !rows.is_empty();
    let page = wanted.page(rows, |(id, key)| Place {
        s: filter.sort,
        r: reading,
        of: name(&filter.query),
        k: *key,
        i: *id,
    });
    // Triggers keep the documents; whatever they could not see is left out here.
    let ids: Vec<Uuid> = page.items.iter().map(|(id, _)| *id).collect();
    let listed: Vec<Uuid> = sqlx::query_scalar!(
        r#"select id as "id!" from listed_videos where id = any($1)"#,
        &ids
    )
    .fetch_all(conn)
    .await?;
    Ok(Found {
        page: Page {
            items: ids
                .into_iter()
                .filter(|id| listed.contains(id))
                .map(VideoId)
                .collect(),
            next_cursor: page.next_cursor,
        },
        corrected,
        some,
    })
}

/// A number for a question (FNV-1a), the same in every process.
fn name(query: &str) -> u64 {
    query.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
