//! What a decision does to things and people, and how that is undone. Each names its decision, so that what another one did
//! meanwhile is left alone.

use sqlx::PgExecutor;

use crate::ids::{CommentId, DecisionId, UserId, VideoId};

/// Hides a video: it is private, and its owner cannot publish it. `false` if it is hidden already, or gone.
///
/// # Errors
/// Those of the statement.
pub async fn hide_video(
    db: impl PgExecutor<'_>,
    id: VideoId,
    decision: DecisionId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update videos set hidden_by = $2, hidden_visibility = visibility, visibility = 'private', publish_at = null
          where id = $1 and hidden_by is null",
        id.0,
        decision.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Shows a video again to whom its owner had shown it. Returns the owner, or `None` if this decision does not hide it.
///
/// # Errors
/// Those of the statement.
pub async fn show_video(
    db: impl PgExecutor<'_>,
    id: VideoId,
    decision: DecisionId,
) -> Result<Option<UserId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"update videos set visibility = hidden_visibility, hidden_by = null, hidden_visibility = null
            where id = $1 and hidden_by = $2 returning user_id as "owner: UserId""#,
        id.0,
        decision.0,
    )
    .fetch_optional(db)
    .await
}

/// Hides a comment from everybody but its author; `false` if it is hidden already, or gone.
///
/// # Errors
/// Those of the statement.
pub async fn hide_comment(
    db: impl PgExecutor<'_>,
    id: CommentId,
    decision: DecisionId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update comments set withheld = 'hidden', hidden_by = $2, pinned = false
          where id = $1 and withheld is distinct from 'hidden'",
        id.0,
        decision.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Shows a comment: one that this decision hides, or without one, one that is held. `false` if it is neither.
///
/// # Errors
/// Those of the statement.
pub async fn show_comment(
    db: impl PgExecutor<'_>,
    id: CommentId,
    decision: Option<DecisionId>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update comments set withheld = null, hidden_by = null
          where id = $1 and withheld is not null and hidden_by is not distinct from $2",
        id.0,
        decision.map(|id| id.0),
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Holds a comment back until staff have read it; `false` if it is withheld already, or gone.
///
/// # Errors
/// Those of the statement.
pub async fn hold_comment(db: impl PgExecutor<'_>, id: CommentId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update comments set withheld = 'held', pinned = false where id = $1 and withheld is null",
        id.0
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Deletes a comment and the replies to it.
///
/// # Errors
/// Those of the statement.
pub async fn remove_comment(db: impl PgExecutor<'_>, id: CommentId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("delete from comments where id = $1", id.0)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Locks a person out; `false` if they are out already. Their sessions and sockets end at once.
///
/// # Errors
/// Those of the statement.
pub async fn suspend(
    db: impl PgExecutor<'_>,
    id: UserId,
    decision: DecisionId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update users set is_active = false, suspended_by = $2 where id = $1 and is_active",
        id.0,
        decision.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Lets a person in again whom this decision locks out; `false` if it does not. Who is leaving stays out.
///
/// # Errors
/// Those of the statement.
pub async fn reinstate(
    db: impl PgExecutor<'_>,
    id: UserId,
    decision: DecisionId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "update users set is_active = deleting_since is null, suspended_by = null where id = $1 and suspended_by = $2",
        id.0,
        decision.0,
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}
