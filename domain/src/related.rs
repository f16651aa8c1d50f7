//! Videos that go with one: what was watched together, of its creator, with words of its title, and new ones to fill up.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::VideoId;

/// The videos that go with `video`, the best first.
///
/// Each source looks at few rows, by index, however many videos there are: of what many titles have in common, those that
/// reach furthest are looked at.
///
/// # Errors
/// Those of the statements.
pub async fn related(
    conn: &mut PgConnection,
    video: VideoId,
    limit: i64,
) -> Result<Vec<VideoId>, sqlx::Error> {
    // Words of two letters say little; pairs of Chinese characters are words.
    let words: Option<String> = sqlx::query_scalar!(
        r#"select (select string_agg('''' || replace(replace(w, '\', '\\'), '''', '''''') || '''', ' | ')
                     from (select w from unnest(tsvector_to_array(search_lexemes(v.title, v.tags, '', ''))) w
                            where octet_length(w) > 2 order by octet_length(w) desc, w limit 24) words) as words
             from videos v where v.id = $1"#,
        video.0,
    )
    .fetch_optional(&mut *conn)
    .await?
    .flatten();
    let ids: Vec<Uuid> = sqlx::query_scalar(
        "with this as (select user_id from videos where id = $1),
              scored as (
               (select n.id, 2 + 1.0::float8 / n.nth as score
                  from co_views c, unnest(c.neighbours) with ordinality as n (id, nth) where c.video_id = $1)
               union all
               (select l.id, 1.0 from this cross join lateral (
                    select id from listed_videos where user_id = this.user_id order by created_at desc, id desc limit 20) l)
               union all
               (select f.video_id, 0.5 + 3 * ts_rank(f.words, $2::text::tsquery)::float8
                  from (select video_id, words from search_documents
                         where words @@ $2::text::tsquery order by reach desc, video_id desc limit 200) f)
               union all
               (select id, 0.1 from listed_videos order by created_at desc, id desc limit 30)),
              best as (select id, sum(score) as score from scored where id <> $1 group by id)
         select b.id from best b join listed_videos l on l.id = b.id order by b.score desc, b.id desc limit $3",
    )
    // Planned with these words each time: whether they are common decides how they are looked up.
    .persistent(false)
    .bind(video.0)
    .bind(words)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(VideoId).collect())
}
