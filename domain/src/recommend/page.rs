//! The pages of somebody's recommendations: theirs, then what is trending, then what is new.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use crate::{
    ids::{UserId, VideoId},
    keyset::{Page, Wanted},
    trending,
};

/// Where a page ended: in which part, and where there.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Place {
    /// Of the list that was made then, the position.
    Own { made: DateTime<Utc>, n: i32 },
    /// Of the trending list, which followed the list that was made then.
    Hot {
        made: Option<DateTime<Utc>>,
        hot: trending::Place,
    },
    /// Of all videos, with the lists that came before.
    New {
        made: Option<DateTime<Utc>>,
        list: Option<i64>,
        at: DateTime<Utc>,
        id: Uuid,
    },
}

impl Place {
    fn made(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Own { made, .. } => Some(*made),
            Self::Hot { made, .. } | Self::New { made, .. } => *made,
        }
    }
}

/// A page of what `user` may like; for visitors, of what many like. No video comes in two parts: each leaves out those of
/// the parts before, of the lists that were current on the first page.
///
/// # Errors
/// Those of the statements.
pub async fn recommended(
    conn: &mut PgConnection,
    user: Option<UserId>,
    wanted: &Wanted,
) -> Result<Page<VideoId>, sqlx::Error> {
    let after: Option<Place> = wanted.place();
    let list = match user {
        Some(user) => list_of(&mut *conn, user, after.as_ref().and_then(Place::made)).await?,
        None => None,
    };
    let made = list.as_ref().map(|(made, _)| *made);
    let own = list.map(|(_, videos)| videos).unwrap_or_default();
    let mut rows: Vec<(Uuid, Place)> = Vec::new();

    if let (Some(made), None | Some(Place::Own { .. })) = (made, &after) {
        let from = match &after {
            Some(Place::Own { n, .. }) => *n,
            _ => 0,
        };
        for (n, id) in of_list(&mut *conn, &own, from, wanted.rows()).await? {
            rows.push((id, Place::Own { made, n }));
        }
    }
    let room = |rows: &Vec<_>| wanted.rows() - i64::try_from(rows.len()).unwrap_or(0);

    let hot = match &after {
        Some(Place::Hot { hot, .. }) => Some(*hot),
        Some(Place::New { list, .. }) => list.map(|l| trending::Place { l, n: 0 }),
        _ => None,
    };
    let hot_list = trending::list(&mut *conn, hot).await?;
    if let Some(l) =
        hot_list.filter(|_| room(&rows) > 0 && !matches!(after, Some(Place::New { .. })))
    {
        let from = hot.map_or(0, |place| place.n);
        for (n, id) in trending::ranked(&mut *conn, l, from, &own, room(&rows)).await? {
            let hot = trending::Place { l, n };
            rows.push((id, Place::Hot { made, hot }));
        }
    }

    if room(&rows) > 0 {
        let from = match &after {
            Some(Place::New { at, id, .. }) => Some((*at, *id)),
            _ => None,
        };
        for (id, at) in newest(&mut *conn, &own, hot_list, from, room(&rows)).await? {
            let list = hot_list;
            rows.push((id, Place::New { made, list, at, id }));
        }
    }
    let page = wanted.page(rows, |(_, place)| place.clone());
    Ok(page.map(|(id, _)| VideoId(id)))
}

/// The list of a person that was made then, or else their latest.
async fn list_of(
    db: impl PgExecutor<'_>,
    user: UserId,
    made: Option<DateTime<Utc>>,
) -> Result<Option<(DateTime<Utc>, Vec<Uuid>)>, sqlx::Error> {
    let row = sqlx::query!(
        "select videos, made_at, before, before_made_at from recommendations where user_id = $1",
        user.0
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| match row.before_made_at {
        Some(before) if made == Some(before) => (before, row.before),
        _ => (row.made_at, row.videos),
    }))
}

/// Positions and videos of a list that everybody may find.
async fn of_list(
    db: impl PgExecutor<'_>,
    list: &[Uuid],
    after: i32,
    rows: i64,
) -> Result<Vec<(i32, Uuid)>, sqlx::Error> {
    struct Row {
        n: i32,
        id: Uuid,
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select n.nth::int4 as "n!", l.id as "id!"
             from unnest($1::uuid[]) with ordinality as n (id, nth) join listed_videos l on l.id = n.id
            where n.nth > $2 order by n.nth limit $3"#,
        list,
        i64::from(after),
        rows,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.n, row.id)).collect())
}

/// The newest videos that are on neither list.
async fn newest(
    db: impl PgExecutor<'_>,
    own: &[Uuid],
    list: Option<i64>,
    after: Option<(DateTime<Utc>, Uuid)>,
    rows: i64,
) -> Result<Vec<(Uuid, DateTime<Utc>)>, sqlx::Error> {
    struct Row {
        id: Uuid,
        created_at: DateTime<Utc>,
    }
    let rows = sqlx::query_as!(
        Row,
        r#"select l.id as "id!", l.created_at as "created_at!" from listed_videos l
            where l.id <> all($1) and not exists (select from trending t where t.list_id = $2 and t.video_id = l.id)
              and ($3::timestamptz is null or (l.created_at, l.id) < ($3, $4::uuid))
            order by l.created_at desc, l.id desc limit $5"#,
        own,
        list,
        after.map(|place| place.0),
        after.map(|place| place.1),
        rows,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.created_at))
        .collect())
}
