//! What is suggested while somebody types.

use sqlx::PgConnection;

use super::{
    channels::{channels, like},
    question::{Question, last_run, normal},
};
use crate::ids::VideoId;

/// Suggestions at most.
pub const MOST_SUGGESTIONS: usize = 10;
/// Of these at most so many name a video, or a channel.
const VIDEOS: i64 = 4;
const CHANNELS: i64 = 2;

/// One suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suggestion {
    /// Words to search for.
    Words(String),
    /// A video, by its title.
    Video { id: VideoId, title: String },
    /// A channel, by its name.
    Channel { username: String },
}

/// What somebody who has typed `text` may want: words, then videos, then channels. Each source is asked for a handful, by
/// index.
///
/// # Errors
/// Those of the statements.
pub async fn suggest(conn: &mut PgConnection, text: &str) -> Result<Vec<Suggestion>, sqlx::Error> {
    let text = normal(text).to_lowercase();
    let length = text.chars().count();
    if length == 0 {
        return Ok(Vec::new());
    }
    let mut words = beginning_with(conn, &text, 6).await?;
    if let Some((before, last)) = text.rsplit_once(' ').filter(|_| words.len() < 6) {
        for word in beginning_with(conn, last, 4).await? {
            words.push(format!("{before} {word}"));
        }
    }
    if words.is_empty() && length >= 4 {
        words = alike(conn, &text).await?;
    }
    let videos = if length >= 2 {
        titles(conn, &text).await?
    } else {
        Vec::new()
    };
    let names = channels(&mut *conn, &text, CHANNELS).await?;

    let room = MOST_SUGGESTIONS - videos.len() - names.len();
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.truncate(room);
    let words = words.into_iter().map(Suggestion::Words);
    let names = names.into_iter().map(|channel| Suggestion::Channel {
        username: channel.username,
    });
    Ok(words.chain(videos).chain(names).collect())
}

/// The most frequent words and tags that begin so. Few letters begin many: those are asked of an index that has them by
/// frequency.
async fn beginning_with(
    conn: &mut PgConnection,
    text: &str,
    limit: i64,
) -> Result<Vec<String>, sqlx::Error> {
    match text.chars().count() {
        0 => Ok(Vec::new()),
        1 => {
            sqlx::query_scalar!(
                "select word from search_words where left(word, 1) = $1 and documents > 0 order by documents desc, word limit $2",
                text,
                limit,
            )
            .fetch_all(conn)
            .await
        }
        2 => {
            sqlx::query_scalar!(
                "select word from search_words where left(word, 2) = $1 and documents > 0 order by documents desc, word limit $2",
                text,
                limit,
            )
            .fetch_all(conn)
            .await
        }
        _ => {
            // A range and not `like`, which finds its range only where the plan knows the text.
            sqlx::query_scalar!(
                "select word from search_words
                  where word ~>=~ $1 and word ~<~ ($1 || chr(1114111)) and documents > 0 order by documents desc, word limit $2",
                text,
                limit,
            )
            .fetch_all(conn)
            .await
        }
    }
}

/// Words that are spelt nearly alike.
async fn alike(conn: &mut PgConnection, text: &str) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "select word from search_words where word % $1 and documents > 0
          order by similarity(word, $1) + 0.02 * ln(documents) desc, word limit 3",
        text,
    )
    .fetch_all(conn)
    .await
}

/// Videos whose title begins so; of scripts without spaces, also those with such a word inside.
async fn titles(conn: &mut PgConnection, text: &str) -> Result<Vec<Suggestion>, sqlx::Error> {
    let run = last_run(text).map(|_| Question::all(text));
    let rows: Vec<(uuid::Uuid, String)> = sqlx::query_as(
        "select l.id, l.title
           from (select video_id, reach from (
                     (select video_id, reach from search_documents where title like $1 order by title using ~<~ limit 50)
                     union
                     (select video_id, reach from search_documents
                       where $2::text is not null and words @@ search_question($2, $3) order by reach desc, video_id desc limit 8)) d
                  order by reach desc, video_id desc limit 8) d
           join listed_videos l on l.id = d.video_id
          order by d.reach desc, l.id desc limit $4",
    )
    // As in a search: planned with the words at hand.
    .persistent(false)
    .bind(format!("{}%", like(text)))
    .bind(run.as_ref().map(|question| question.words.as_str()))
    .bind(run.as_ref().map(|question| question.starts.as_str()))
    .bind(VIDEOS)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, title)| Suggestion::Video {
            id: VideoId(id),
            title,
        })
        .collect())
}
