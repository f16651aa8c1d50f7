//! What somebody may watch because they paid for it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{ItemType, Money, Price, price::decode};
use crate::ids::{UserId, VideoId};

/// Something that somebody may watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    pub item_type: ItemType,
    pub item_id: Uuid,
    /// Of a channel: until when it was paid for.
    pub expires_at: Option<DateTime<Utc>>,
    pub since: DateTime<Utc>,
}

/// What a video costs, and whether somebody may watch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// None: everybody may.
    pub price: Option<Price>,
    /// Whether this viewer may watch it: it costs nothing, is theirs, or was paid for, itself or with its channel.
    pub paid: bool,
}

/// Whether somebody paid for a video, itself or with its channel.
///
/// # Errors
/// Those of the statement.
pub async fn has(
    db: impl PgExecutor<'_>,
    user: UserId,
    video: VideoId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (
               select from entitlements e join videos v on v.id = $2
                where e.user_id = $1 and e.revoked_at is null and (e.expires_at is null or e.expires_at > now())
                  and ((e.item_type = 'video' and e.item_id = v.id) or (e.item_type = 'channel' and e.item_id = v.user_id))
           ) as "has!""#,
        user.0,
        video.0,
    )
    .fetch_one(db)
    .await
}

/// What somebody may watch, the latest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_user(
    db: impl PgExecutor<'_>,
    user: UserId,
) -> Result<Vec<Entitlement>, sqlx::Error> {
    let rows = sqlx::query!(
        "select item_type, item_id, expires_at, created_at from entitlements
          where user_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())
          order by id desc limit 1000",
        user.0,
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            Some(Entitlement {
                item_type: ItemType::of_word(&row.item_type)?,
                item_id: row.item_id,
                expires_at: row.expires_at,
                since: row.created_at,
            })
        })
        .collect())
}

/// What a video costs, and whether `viewer` may watch it, at one moment.
///
/// # Errors
/// Those of the statement.
pub async fn access(
    db: impl PgExecutor<'_>,
    video: VideoId,
    viewer: Option<UserId>,
) -> Result<Access, sqlx::Error> {
    let row = sqlx::query!(
        r#"select p.amount, p.currency, p.seller_id,
                  exists (select from entitlements e
                           where e.user_id = $2 and e.revoked_at is null
                             and (e.expires_at is null or e.expires_at > now())
                             and ((e.item_type = 'video' and e.item_id = v.id)
                                  or (e.item_type = 'channel' and e.item_id = v.user_id))) as "bought!"
             from videos v join prices p on p.item_type = 'video' and p.item_id = v.id
            where v.id = $1"#,
        video.0,
        viewer.map(|viewer| viewer.0),
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else {
        return Ok(Access {
            price: None,
            paid: true,
        });
    };
    let seller = UserId(row.seller_id);
    Ok(Access {
        price: Some(Price {
            item_type: ItemType::Video,
            item_id: video.0,
            seller,
            money: Money::new(row.amount, decode(&row.currency)?),
            period: None,
        }),
        paid: row.bought || viewer == Some(seller),
    })
}
