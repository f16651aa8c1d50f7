//! Who follows a creator, in batches.

use sqlx::PgExecutor;

use crate::ids::UserId;

/// At most `limit` followers of a creator, in the order of their ids, after the one with the id `after`. Somebody who
/// begins to follow meanwhile may be passed by: they see the video on the channel's page.
///
/// # Errors
/// Those of the statement.
pub async fn followers_after(
    db: impl PgExecutor<'_>,
    creator: UserId,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, sqlx::Error> {
    let ids = sqlx::query_scalar!(
        "select follower_id from follows where creator_id = $1 and ($2::uuid is null or follower_id > $2)
          order by follower_id limit $3",
        creator.0,
        after.map(|id| id.0),
        limit,
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(UserId).collect())
}
