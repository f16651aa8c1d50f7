//! Videos that go with one: of its creator, with words or parts of its title, and new ones to fill up.

use sqlx::PgExecutor;

use crate::ids::VideoId;

/// The videos that go with `video`, the best first.
///
/// Each source looks at few rows, by index, however many videos there are: what many titles have in common is sampled, not
/// ranked.
///
/// # Errors
/// Those of the statement.
pub async fn related(
    db: impl PgExecutor<'_>,
    video: VideoId,
    limit: i64,
) -> Result<Vec<VideoId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"with this as (
               select v.user_id, v.title,
                      (select string_agg('''' || replace(replace(w, '\', '\\'), '''', '''''') || '''', ' | ')::tsquery
                         from (select w from unnest(tsvector_to_array(to_tsvector('simple', v.title))) w
                                where length(w) > 2 order by length(w) desc limit 8) words) as words
                 from videos v where v.id = $1),
           scored as (
               (select l.id, 1.0::float8 as score from this cross join lateral (
                    select id from listed_videos where user_id = this.user_id order by created_at desc, id desc limit 20) l)
               union all
               (select l.id, 0.5 + 3 * l.rank from this cross join lateral (
                    select f.id, ts_rank(f.search, this.words)::float8 as rank
                      from (select id, search from listed_videos where search @@ this.words limit 200) f) l)
               union all
               (select l.id, 2 * l.alike from this cross join lateral (
                    select f.id, similarity(f.title, this.title)::float8 as alike
                      from (select id, title from listed_videos where title % this.title limit 100) f) l)
               union all
               (select id, 0.1 from listed_videos order by created_at desc, id desc limit 30))
           select id as "id!: VideoId" from scored
            where id <> $1 group by id order by sum(score) desc, id desc limit $2"#,
        video.0,
        limit,
    )
    .fetch_all(db)
    .await
}
