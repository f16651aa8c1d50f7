//! What was watched together: the plainest model that knows nothing of the videos.

use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Likings, Recommender};
use crate::ids::{UserId, VideoId};

/// People who watched the same watch the same: for the last twenty videos of a person, what others who watched those
/// watched besides, the latest counting most; then videos with the same tags, those that reach furthest first.
///
/// Looked at are the last 200 viewers of a video and the last 50 videos of each, so that a video that everybody watched
/// costs no more than another. What one person alone watched together is nobody else's business: it takes two.
#[derive(Debug, Clone, Copy, Default)]
pub struct CoViewing;

impl Recommender for CoViewing {
    fn name(&self) -> &'static str {
        "co_viewing"
    }

    fn recommend<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        people: &'a [UserId],
        most: i64,
    ) -> BoxFuture<'a, Result<Likings, sqlx::Error>> {
        Box::pin(async move {
            let people: Vec<Uuid> = people.iter().map(|id| id.0).collect();
            note_co_views(&mut *conn, &people).await?;
            likely(conn, &people, most).await
        })
    }
}

/// Finds out what goes with the videos that these people watched last, unless that was done within six hours.
async fn note_co_views(conn: &mut PgConnection, people: &[Uuid]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with seeds as (
             select distinct h.video_id
               from unnest($1::uuid[]) as p (id) cross join lateral (
                    select video_id from watch_history where user_id = p.id order by watched_at desc limit 20) h
               left join co_views c on c.video_id = h.video_id
              where c.made_at is null or c.made_at < now() - interval '6 hours')
         insert into co_views as c (video_id, neighbours, made_at)
         select s.video_id, coalesce(n.ids, '{}'), now()
           from seeds s cross join lateral (
                select array_agg(other order by score desc, other desc) as ids
                  from (select b.video_id as other, count(*) / sqrt(coalesce(max(p.views), 0) + 10) as score
                          from (select user_id from watch_history
                                 where video_id = s.video_id order by watched_at desc limit 200) a
                          cross join lateral (
                               select video_id from watch_history
                                where user_id = a.user_id order by watched_at desc limit 50) b
                          left join video_popularity p on p.video_id = b.video_id
                         where b.video_id <> s.video_id
                         group by b.video_id having count(*) >= 2
                         order by score desc, other desc limit 50) scored) n
          order by s.video_id
         on conflict (video_id) do update set neighbours = excluded.neighbours, made_at = excluded.made_at",
        people,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn likely(
    conn: &mut PgConnection,
    people: &[Uuid],
    most: i64,
) -> Result<Likings, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select p.id as "user: UserId", n.ids as "ids!: Vec<Uuid>"
             from unnest($1::uuid[]) as p (id) cross join lateral (
                  with seeds as (
                      select video_id, row_number() over (order by watched_at desc) as nth
                        from (select video_id, watched_at from watch_history
                               where user_id = p.id order by watched_at desc limit 20) h
                  ), labels as (
                      select array_agg(tag) as tags
                        from (select tag, count(*) from seeds s join search_documents d on d.video_id = s.video_id, unnest(d.tags) as tag
                               group by tag order by count(*) desc, tag limit 5) t
                  ), scored as (
                      select n.id, sum(1 / sqrt(s.nth) / (4 + n.nth)) as score
                        from seeds s join co_views c on c.video_id = s.video_id,
                             unnest(c.neighbours) with ordinality as n (id, nth)
                       group by n.id
                      union all
                      (select d.video_id, 0.0001 * (1 + d.reach)
                         from labels l join search_documents d on d.tags && l.tags
                        order by d.reach desc, d.video_id desc limit 100)
                  ), best as (
                      select s.id, sum(s.score) as score from scored s
                        join listed_videos v on v.id = s.id
                       where v.user_id <> p.id
                         and not exists (select from watch_history h where h.user_id = p.id and h.video_id = s.id)
                       group by s.id order by score desc, s.id desc limit $2
                  )
                  select array_agg(id order by score desc, id desc) as ids from best) n
            where n.ids is not null"#,
        people,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.user?, row.ids.into_iter().map(VideoId).collect())))
        .collect())
}
