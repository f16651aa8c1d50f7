//! What can be paid for.

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Price, price};
use crate::ids::UserId;

/// A kind of thing that is paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentItemType)]
pub enum ItemType {
    Video,
    Live,
    /// A creator's channel, again and again; its id is the creator's.
    Channel,
    /// Support for a creator, of any amount; its id is the creator's.
    Tip,
}

/// Something that can be paid for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub kind: ItemType,
    pub id: Uuid,
    /// Who earns by it.
    pub seller: UserId,
    pub title: String,
    /// None of what is not for sale, and of tips.
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

    /// The type with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// The item with its price, if it exists and can be seen by who pays: not what lies in the trash or belongs to somebody who
/// is locked out. Whether a video is private is for the price's owner to say.
///
/// # Errors
/// Those of the statements.
pub async fn find_item(
    conn: &mut PgConnection,
    kind: ItemType,
    id: Uuid,
) -> Result<Option<Item>, sqlx::Error> {
    let found = match kind {
        ItemType::Video => {
            sqlx::query!(
                r#"select v.user_id as seller, v.title from videos v join users u on u.id = v.user_id
                    where v.id = $1 and v.deleted_at is null and u.is_active"#,
                id
            )
            .fetch_optional(&mut *conn)
            .await?
            .map(|row| (row.seller, row.title))
        }
        ItemType::Live => {
            sqlx::query!(
                r#"select l.user_id as seller, l.title from lives l join users u on u.id = l.user_id
                    where l.id = $1 and u.is_active"#,
                id
            )
            .fetch_optional(&mut *conn)
            .await?
            .map(|row| (row.seller, row.title))
        }
        ItemType::Channel | ItemType::Tip => {
            sqlx::query!(
                r#"select id as seller, username::text as "title!" from users where id = $1 and is_active"#,
                id
            )
            .fetch_optional(&mut *conn)
            .await?
            .map(|row| (row.seller, row.title))
        }
    };
    let Some((seller, title)) = found else {
        return Ok(None);
    };
    let price = price::of(conn, kind, id).await?;
    Ok(Some(Item {
        kind,
        id,
        seller: UserId(seller),
        title,
        price,
    }))
}
