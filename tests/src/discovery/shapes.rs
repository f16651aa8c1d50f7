//! The questions that people ask of a platform.

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use millrace_domain::{
    channels::{self, ChannelSort},
    follows, history,
    ids::{UserId, VideoId},
    keyset::Wanted,
    recommend::{self, CoViewing},
    related,
    search::{self, SearchFilter, SearchSort},
    trending,
    videos::{self, Category, Filter, Video},
};
use sqlx::{PgConnection, PgPool};

const PAGE: i64 = 24;
/// Pages that somebody turned who is deep in a list.
const DEEP: usize = 20;

/// What there is to ask for.
#[derive(Debug)]
pub struct World {
    people: Vec<UserId>,
    creators: Vec<UserId>,
    videos: Vec<VideoId>,
    deep_new: String,
    deep_views: String,
}

/// One kind of question. `run` asks the `n`th of its kind and says how much was answered.
pub struct Shape {
    pub name: &'static str,
    pub run: for<'a> fn(&'a mut PgConnection, &'a World, usize) -> BoxFuture<'a, Result<usize>>,
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl World {
    /// Looks around in a platform that [`super::fill`] made, and does what its jobs do.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn look(db: &PgPool) -> Result<Self> {
        let mut conn = db.acquire().await?;
        trending::rank(&mut conn).await?;
        let ids = "select user_id from (select distinct user_id from watch_history) h order by user_id limit 100";
        let people: Vec<UserId> = sqlx::query_scalar(ids).fetch_all(&mut *conn).await?;
        if recommend::stale_after(&mut conn, None, 1).await?.first() == people.first() {
            recommend::refresh(&mut conn, &CoViewing, &people).await?;
        }
        // Each as many videos as another, the busiest among them.
        let ids =
            "select user_id from search_documents group by user_id order by count(*) desc limit 40";
        let creators = sqlx::query_scalar(ids).fetch_all(&mut *conn).await?;
        let ids = "select video_id from search_documents order by md5(video_id::text) limit 200";
        let videos = sqlx::query_scalar(ids).fetch_all(&mut *conn).await?;
        Ok(Self {
            people,
            creators,
            videos,
            deep_new: deep(&mut conn, SearchSort::New).await?,
            deep_views: deep(&mut conn, SearchSort::Views).await?,
        })
    }
}

/// The cursor of a page that is far down.
async fn deep(conn: &mut PgConnection, sort: SearchSort) -> Result<String> {
    let filter = SearchFilter {
        query: "travel".into(),
        sort,
        ..SearchFilter::default()
    };
    let mut wanted = page(None);
    wanted.limit = 100;
    for _ in 0..DEEP {
        let found = search::find(conn, &filter, &wanted).await?;
        wanted.cursor = Some(
            found
                .page
                .next_cursor
                .context("the platform is too small")?,
        );
    }
    wanted.cursor.context("no page was turned")
}

fn page(cursor: Option<&str>) -> Wanted {
    Wanted {
        cursor: cursor.map(str::to_owned),
        limit: PAGE,
    }
}

fn nth<T: Copy>(all: &[T], n: usize) -> Result<T> {
    all.get(n % all.len().max(1))
        .copied()
        .context("there is none")
}

async fn find(
    conn: &mut PgConnection,
    filter: SearchFilter,
    cursor: Option<&str>,
) -> Result<usize> {
    let found = search::find(conn, &filter, &page(cursor)).await?;
    Ok(found.page.items.len())
}

fn words(all: &'static [&'static str], n: usize) -> SearchFilter {
    SearchFilter {
        query: all[n % all.len()].to_owned(),
        ..SearchFilter::default()
    }
}

macro_rules! shapes {
    ($($name:literal => |$conn:ident, $world:ident, $n:ident| $run:expr),+ $(,)?) => {
        /// All of them.
        pub const SHAPES: &[Shape] = &[$(Shape {
            name: $name,
            run: |$conn, $world, $n| Box::pin(async move { let _ = (&$world, $n); $run }),
        }),+];
    };
}

// From words that everybody says to words that nearly nobody does.
const ENGLISH: &[&str] = &[
    "travel",
    "vlog how",
    "night market",
    "street food",
    "guitar lesson",
    "skateboard tricks",
    "kelim",
    "minecraft -travel",
];
const CHINESE: &[&str] = &["台北", "夜市", "旅行", "單車", "維修", "北夜", "理財", "夜"];
const LONG_CHINESE: &[&str] = &["台北夜市", "夜市小吃", "露營料理", "滑板教學"];
const MISSPELT: &[&str] = &["skatebord", "minecarft", "guittar", "mountian hikking"];
const NEVER_TOGETHER: &[&str] = &[
    "travel zydrikwood",
    "vlog chaverum flesolic",
    "台北 夜市 travel vlog how make",
    "nobodysaysthis",
];
// Parts of titles, from frequent ones to some that no title has.
const PARTS: &[&str] = &[
    "travel",
    "ravel",
    "kateboar",
    "台北夜市",
    "kelim",
    "nobodysaysthis",
];
const TYPED: &[&str] = &[
    "t",
    "tr",
    "trav",
    "night m",
    "夜",
    "夜市",
    "台北",
    "k",
    "skatebord",
    "ba",
];

shapes! {
    "search_english" => |conn, _world, n| find(conn, words(ENGLISH, n), None).await,
    "search_chinese_2" => |conn, _world, n| find(conn, words(CHINESE, n), None).await,
    "search_chinese_4" => |conn, _world, n| find(conn, words(LONG_CHINESE, n), None).await,
    "search_misspelt" => |conn, _world, n| find(conn, words(MISSPELT, n), None).await,
    "search_rare_together" => |conn, _world, n| find(conn, words(NEVER_TOGETHER, n), None).await,
    "search_new" => |conn, _world, n| find(conn, SearchFilter { sort: SearchSort::New, ..words(ENGLISH, n) }, None).await,
    "search_views" => |conn, _world, n| find(conn, SearchFilter { sort: SearchSort::Views, ..words(ENGLISH, n) }, None).await,
    "search_deep_new" => |conn, world, _n| find(conn, SearchFilter { sort: SearchSort::New, ..words(&["travel"], 0) }, Some(&world.deep_new)).await,
    "search_deep_views" => |conn, world, _n| find(conn, SearchFilter { sort: SearchSort::Views, ..words(&["travel"], 0) }, Some(&world.deep_views)).await,
    "search_filters" => |conn, _world, n| find(conn, SearchFilter {
        length: Some(search::Length::Short),
        quality: Some(search::Fineness::Hd),
        category: Some(Category::Travel),
        since: Some(chrono::Utc::now() - chrono::TimeDelta::days(366)),
        ..words(ENGLISH, n)
    }, None).await,
    "search_category_new" => |conn, _world, n| find(conn, SearchFilter {
        sort: SearchSort::New, category: Some(Category::Travel), ..words(ENGLISH, n)
    }, None).await,
    "search_tag" => |conn, _world, n| find(conn, SearchFilter { tag: Some("夜市".into()), ..words(ENGLISH, n) }, None).await,
    "search_owner" => |conn, world, n| find(conn, SearchFilter { owner: Some(nth(&world.creators, n)?), ..words(ENGLISH, n) }, None).await,
    "channels_by_name" => |conn, _world, n| Ok(search::channels(conn, TYPED[n % TYPED.len()], 3).await?.len()),
    "suggest" => |conn, _world, n| Ok(search::suggest(conn, TYPED[n % TYPED.len()]).await?.len()),
    "trending" => |conn, _world, _n| Ok(trending::trending(conn, &page(None)).await?.items.len()),
    "recommended" => |conn, world, n| Ok(recommend::recommended(conn, Some(nth(&world.people, n)?), &page(None)).await?.items.len()),
    "recommended_to_visitors" => |conn, _world, _n| Ok(recommend::recommended(conn, None, &page(None)).await?.items.len()),
    "recommend_one" => |conn, world, n| { recommend::refresh(conn, &CoViewing, &[nth(&world.people, n)?]).await?; Ok(1) },
    "home" => |conn, _world, _n| {
        let found = videos::list(&mut *conn, &Filter { limit: PAGE, ..Filter::default() }).await?;
        let ids: Vec<VideoId> = found.items.iter().map(|video| video.id).collect();
        Ok(Video::find_all(conn, &ids).await?.len())
    },
    "list_by_views" => |conn, _world, _n| Ok(videos::list(conn, &Filter { sort: videos::Sort::Views, limit: PAGE, ..Filter::default() }).await?.items.len()),
    "list_by_title" => |conn, _world, _n| Ok(videos::list(conn, &Filter { sort: videos::Sort::Title, limit: PAGE, ..Filter::default() }).await?.items.len()),
    "list_of_tag" => |conn, _world, n| Ok(videos::list(conn, &Filter {
        tag: Some(["travel", "夜市", "zydrikwood"][n % 3].into()), limit: PAGE, ..Filter::default()
    }).await?.items.len()),
    "list_by_query" => |conn, _world, n| Ok(videos::list(conn, &Filter {
        query: Some(PARTS[n % PARTS.len()].into()), limit: PAGE, ..Filter::default()
    }).await?.items.len()),
    "list_by_query_2" => |conn, _world, n| Ok(videos::list(conn, &Filter {
        query: Some(CHINESE[n % (CHINESE.len() - 1)].into()), limit: PAGE, ..Filter::default()
    }).await?.items.len()),
    "feed" => |conn, world, n| Ok(follows::feed(conn, nth(&world.people, n)?, &page(None)).await?.items.len()),
    "history" => |conn, world, n| Ok(history::watched(conn, nth(&world.people, n)?, None, &page(None)).await?.items.len()),
    "channel_new" => |conn, world, n| Ok(channels::videos(conn, nth(&world.creators, n)?, ChannelSort::New, &page(None)).await?.items.len()),
    "channel_popular" => |conn, world, n| Ok(channels::videos(conn, nth(&world.creators, n)?, ChannelSort::Popular, &page(None)).await?.items.len()),
    "related" => |conn, world, n| Ok(related::related(conn, nth(&world.videos, n)?, 20).await?.len()),
}
