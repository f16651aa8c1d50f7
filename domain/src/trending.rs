//! What many watch these days.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{
    ids::VideoId,
    keyset::{Page, Wanted},
};

/// Videos of one list.
const MOST: i64 = 500;
/// Of these, of one creator.
const OF_ONE: i64 = 5;

/// Makes a new list of the hottest videos, and drops lists older than an hour. Views weigh half as much a day later; a
/// video is on the list while it has more than one view of a week ago would weigh. Returns how many are on it.
///
/// # Errors
/// Those of the statements.
pub async fn rank(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let list = sqlx::query_scalar!("insert into trending_lists default values returning id")
        .fetch_one(&mut *conn)
        .await?;
    let ranked = sqlx::query!(
        "insert into trending (list_id, rank, video_id)
         select $1, row_number() over (order by heat desc, video_id desc), video_id
           from (select p.video_id, p.heat,
                        row_number() over (partition by l.user_id order by p.heat desc, p.video_id desc) as nth
                   from (select video_id, heat from video_popularity
                          where heat >= extract(epoch from now()) / 86400 - 7
                          order by heat desc, video_id desc limit 10 * $2::bigint) p
                   join listed_videos l on l.id = p.video_id) hot
          where nth <= $3 order by heat desc, video_id desc limit $2",
        list,
        MOST,
        OF_ONE,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "delete from trending_lists where id < $1 and made_at < now() - interval '1 hour'",
        list
    )
    .execute(conn)
    .await?;
    Ok(ranked.rows_affected())
}

/// Where a page of a list ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The list.
    pub(crate) l: i64,
    /// The rank.
    pub(crate) n: i32,
}

/// A page of the newest list, or of the one that the cursor names.
///
/// # Errors
/// Those of the statements.
pub async fn trending(
    conn: &mut PgConnection,
    wanted: &Wanted,
) -> Result<Page<VideoId>, sqlx::Error> {
    let after: Option<Place> = wanted.place();
    let Some(list) = list(&mut *conn, after).await? else {
        return Ok(wanted.page(Vec::new(), |_: &VideoId| ()));
    };
    let rows = ranked(
        conn,
        list,
        after.map_or(0, |place| place.n),
        &[],
        wanted.rows(),
    )
    .await?;
    let page = wanted.page(rows, |(n, _)| Place { l: list, n: *n });
    Ok(page.map(|(_, id)| VideoId(id)))
}

/// The list that a place is on; the newest if it is gone, or without a place. None if there is no list.
pub(crate) async fn list(
    db: impl PgExecutor<'_>,
    place: Option<Place>,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "select id from trending_lists order by id = $1 desc nulls last, id desc limit 1",
        place.map(|place| place.l),
    )
    .fetch_optional(db)
    .await
}

/// Ranks and videos of a list after a rank, without those of `but`.
pub(crate) async fn ranked(
    db: impl PgExecutor<'_>,
    list: i64,
    after: i32,
    but: &[Uuid],
    rows: i64,
) -> Result<Vec<(i32, Uuid)>, sqlx::Error> {
    struct Row {
        rank: i32,
        video_id: Uuid,
    }
    let rows = sqlx::query_as!(
        Row,
        "select t.rank, t.video_id from trending t join listed_videos l on l.id = t.video_id
          where t.list_id = $1 and t.rank > $2 and t.video_id <> all($3) order by t.rank limit $4",
        list,
        after,
        but,
        rows,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.rank, row.video_id))
        .collect())
}
