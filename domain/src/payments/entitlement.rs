//! What somebody may watch because they paid.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::{ItemType, Payment};
use crate::ids::{UserId, VideoId};

/// Whether somebody paid for a video: for itself, or for its creator's channel.
///
/// # Errors
/// Those of the statement.
pub async fn has(
    db: impl PgExecutor<'_>,
    user: UserId,
    video: VideoId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from entitlements e
                           where e.user_id = $1 and e.revoked_at is null and (e.expires_at is null or e.expires_at > now())
                             and ((e.item_type = 'video' and e.item_id = $2)
                               or (e.item_type = 'channel' and e.item_id = (select v.user_id from videos v where v.id = $2))))
               as "has!""#,
        user.0,
        video.0,
    )
    .fetch_one(db)
    .await
}

/// Lets the payer of an order at what they bought, or no more. Tips buy nothing, and a deleted account watches nothing. Under
/// the order's lock.
pub(super) async fn set(
    conn: &mut PgConnection,
    payment: &Payment,
    may: bool,
) -> Result<(), sqlx::Error> {
    let Some(user) = payment
        .user_id
        .filter(|_| payment.item_type != ItemType::Tip)
    else {
        return Ok(());
    };
    if may {
        sqlx::query!(
            "insert into entitlements (id, user_id, item_type, item_id, payment_id) values ($1, $2, $3, $4, $5)
             on conflict on constraint entitlements_payment do update set revoked_at = null",
            Uuid::now_v7(),
            user.0,
            payment.item_type.word(),
            payment.item_id,
            payment.id.0,
        )
        .execute(conn)
        .await?;
    } else {
        sqlx::query!(
            "update entitlements set revoked_at = now() where payment_id = $1 and revoked_at is null",
            payment.id.0
        )
        .execute(conn)
        .await?;
    }
    Ok(())
}
