//! What can be paid for.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Price, price_of};
use crate::ids::UserId;

/// A kind of thing that can be paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemType {
    /// To watch one video.
    Video,
    /// To watch one live.
    Live,
    /// To watch everything of a creator, again and again.
    Channel,
    /// To thank a creator.
    Tip,
}

/// A thing that can be paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: ItemType,
    /// Of a channel and a tip: the creator.
    pub id: Uuid,
    pub seller: UserId,
    /// As it is called now.
    pub title: String,
    /// None of what costs nothing, and of tips.
    pub price: Option<Price>,
}

impl ItemType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Video, Self::Live, Self::Channel, Self::Tip];

    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Live => "live",
            Self::Channel => "channel",
            Self::Tip => "tip",
        }
    }

    /// The kind with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The thing, if there is one that people may know of: a video that is not private or in the trash, a creator who is
/// active.
///
/// # Errors
/// Those of the statements.
pub async fn find_item(
    conn: &mut PgConnection,
    kind: ItemType,
    id: Uuid,
) -> Result<Option<Item>, sqlx::Error> {
    let found = sqlx::query!(
        r#"select seller as "seller!", title as "title!" from (
               select 'video' as kind, v.id, v.user_id as seller, v.title from videos v
                where v.deleted_at is null and v.visibility <> 'private'
               union all
               select 'live', l.id, l.user_id, l.title from lives l
               union all
               select k.kind, u.id, u.id, u.username::text from users u, (values ('channel'), ('tip')) k(kind)
           ) items join users s on s.id = items.seller and s.is_active
            where items.kind = $1 and items.id = $2"#,
        kind.word(),
        id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    Ok(Some(Item {
        kind,
        id,
        seller: UserId(found.seller),
        title: found.title,
        price: price_of(conn, kind, id).await?,
    }))
}
