//! What somebody may like: made by a model in batches, kept per person, read page by page.

/// What was watched together.
mod co_viewing;
/// The pages of somebody's recommendations.
mod page;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::{UserId, VideoId};

pub use co_viewing::CoViewing;
pub use page::recommended;

/// Recommendations of one person.
pub const MOST: i64 = 100;

/// People and what they may like, the likeliest first.
pub type Likings = Vec<(UserId, Vec<VideoId>)>;

/// A model. Another one is another implementation: whoever makes recommendations names it in one place, the job.
pub trait Recommender: Send + Sync {
    /// A stable word; it is stored beside what the model made.
    fn name(&self) -> &'static str;

    /// For each of these people at most `most` videos that they did not watch, the likeliest first. Who is left out gets
    /// none. What cannot be found by everybody is dropped by whoever shows them.
    fn recommend<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        people: &'a [UserId],
        most: i64,
    ) -> BoxFuture<'a, Result<Likings, sqlx::Error>>;
}

/// The next people by id who watched something since their recommendations were made.
///
/// # Errors
/// Those of the statement.
pub async fn stale_after(
    conn: &mut PgConnection,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select u.id as "id: UserId" from users u left join recommendations r on r.user_id = u.id
            where u.is_active and ($1::uuid is null or u.id > $1)
              and exists (select from watch_history h
                           where h.user_id = u.id and h.watched_at > coalesce(r.made_at, '-infinity'))
            order by u.id limit $2"#,
        after.map(|id| id.0),
        limit,
    )
    .fetch_all(conn)
    .await
}

/// Makes recommendations for these people anew.
///
/// # Errors
/// Those of the model and of the statement.
pub async fn refresh(
    conn: &mut PgConnection,
    model: &dyn Recommender,
    people: &[UserId],
) -> Result<(), sqlx::Error> {
    // Taken before the history is read: what is watched meanwhile makes them stale again.
    let now = chrono::Utc::now();
    let mut made = model.recommend(conn, people, MOST).await?;
    made.sort_by_key(|(user, _)| *user);
    for user in people {
        let found = made.binary_search_by_key(user, |(user, _)| *user);
        let videos: Vec<Uuid> = found
            .ok()
            .and_then(|n| made.get(n))
            .map(|(_, videos)| videos.iter().map(|id| id.0).collect())
            .unwrap_or_default();
        sqlx::query!(
            "insert into recommendations as r (user_id, videos, made_at, model) values ($1, $2, $3, $4)
             on conflict (user_id) do update
                set videos = excluded.videos, made_at = excluded.made_at, model = excluded.model,
                    before = r.videos, before_made_at = r.made_at",
            user.0,
            &videos,
            now,
            model.name(),
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}
