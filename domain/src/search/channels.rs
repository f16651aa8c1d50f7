//! Channels by name.

use sqlx::PgExecutor;

use super::question::normal;
use crate::ids::UserId;

/// A channel that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundChannel {
    pub id: UserId,
    pub username: String,
    /// The key of the avatar in the store.
    pub avatar: Option<String>,
    pub followers: i64,
}

/// Channels whose name is like `text` and that have something to show, the likeliest first. Names that begin with it come
/// first; of very many that are alike, two hundred are looked at.
///
/// # Errors
/// Those of the statement.
pub async fn channels(
    db: impl PgExecutor<'_>,
    text: &str,
    limit: i64,
) -> Result<Vec<FoundChannel>, sqlx::Error> {
    let name = normal(text).to_lowercase().replace(' ', "");
    let begins = format!("{}%", like(&name));
    sqlx::query_as!(
        FoundChannel,
        r#"select u.id as "id: _", u.username as "username!", u.avatar,
                  (select count(*) from follows f where f.creator_id = u.id) as "followers!"
             from (select id, username::text as username, avatar, lower(username::text) as name from users
                    where is_active and (lower(username::text) like $2 or lower(username::text) % $1) limit 200) u
            where exists (select from search_documents d where d.user_id = u.id)
            order by u.name = $1 desc, u.name like $2 desc, similarity(u.name, $1) desc, u.name limit $3"#,
        name,
        begins,
        limit,
    )
    .fetch_all(db)
    .await
}

/// `text` as `like` takes it literally.
pub(super) fn like(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_")
}
