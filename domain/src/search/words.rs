//! How many videos say a word, and what a misspelt one may mean.

use sqlx::{PgConnection, PgExecutor};

use super::question::{normal, spelt};

/// Counts at most `limit` changes of documents into `search_words`, and says how many those were. One statement: what it
/// takes from the list of changes is counted, or neither happens.
///
/// # Errors
/// Those of the statement.
pub async fn count_words(conn: &mut PgConnection, limit: i64) -> Result<i64, sqlx::Error> {
    let taken = sqlx::query_scalar!(
        r#"with batch as (
               delete from search_word_changes
                where id in (select id from search_word_changes order by id limit $1 for update skip locked)
               returning words, n
           ), sums as (
               select word, sum(n)::bigint as n from batch, unnest(words) as word group by word having sum(n) <> 0
           ), counted as (
               insert into search_words as w (word, documents) select word, n from sums order by word
               on conflict (word) do update set documents = w.documents + excluded.documents
           )
           select count(*) as "count!" from batch"#,
        limit,
    )
    .fetch_one(&mut *conn)
    .await?;
    if taken < limit {
        // Said by none any more. Not while changes wait: a document's first may be counted after its last.
        sqlx::query!(
            "delete from search_words where documents <= 0 and not exists (select from search_word_changes)"
        )
        .execute(conn)
        .await?;
    }
    Ok(taken)
}

/// The same text with words that nobody says replaced by words that are spelt nearly alike; none if nothing changes.
pub(super) async fn corrected(
    db: impl PgExecutor<'_>,
    text: &str,
) -> Result<Option<String>, sqlx::Error> {
    let words = spelt(text);
    if words.is_empty() {
        return Ok(None);
    }
    let better = sqlx::query!(
        r#"select t.word as "word!", near.word as "near!"
             from unnest($1::text[]) as t (word) cross join lateral (
                  select s.word from search_words s
                   where s.word % t.word and s.documents > 0
                   order by similarity(s.word, t.word) + 0.02 * ln(s.documents) desc, s.word limit 1) near
            where not exists (select from search_words k where k.word = t.word and k.documents > 0)"#,
        &words,
    )
    .fetch_all(db)
    .await?;
    if better.is_empty() {
        return Ok(None);
    }
    let text = normal(text).to_lowercase();
    let spelt = text
        .split_inclusive(|c: char| !c.is_alphanumeric())
        .map(|part| {
            let word = part.trim_end_matches(|c: char| !c.is_alphanumeric());
            match better.iter().find(|found| found.word == word) {
                Some(found) => format!("{}{}", found.near, &part[word.len()..]),
                None => part.to_owned(),
            }
        });
    Ok(Some(spelt.collect()))
}
