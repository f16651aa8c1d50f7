//! What items cost. A price belongs to its item, never to a request.

use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ItemType, Money, column};
use crate::ids::UserId;

/// How often a subscription is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentPeriod)]
pub enum Period {
    Month,
    Year,
}

/// What an item costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    pub item_type: ItemType,
    pub item_id: Uuid,
    /// Who earns by it.
    pub seller: UserId,
    pub money: Money,
    /// Of a channel, and of nothing else.
    pub period: Option<Period>,
}

impl Period {
    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The period with this word.
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Month, Self::Year]
            .into_iter()
            .find(|period| period.word() == word)
    }
}

struct Row {
    item_type: String,
    item_id: Uuid,
    seller_id: Uuid,
    amount: i64,
    currency: String,
    period: Option<String>,
}

impl Row {
    fn read(self) -> Result<Price, sqlx::Error> {
        Ok(Price {
            item_type: column("item_type", ItemType::of_word(&self.item_type))?,
            item_id: self.item_id,
            seller: UserId(self.seller_id),
            money: column("currency", Money::of_columns(self.amount, &self.currency))?,
            period: match self.period {
                Some(word) => Some(column("period", Period::of_word(&word))?),
                None => None,
            },
        })
    }
}

/// What an item costs, if it costs anything.
pub(super) async fn of(
    db: impl PgExecutor<'_>,
    kind: ItemType,
    id: Uuid,
) -> Result<Option<Price>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select item_type, item_id, seller_id, amount, currency, period from prices
          where item_type = $1 and item_id = $2",
        kind.word(),
        id,
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::read).transpose()
}

/// All prices of a seller, newest items first.
///
/// # Errors
/// Those of the statement.
pub async fn prices_of(db: impl PgExecutor<'_>, seller: UserId) -> Result<Vec<Price>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select item_type, item_id, seller_id, amount, currency, period from prices
          where seller_id = $1 order by item_id desc limit 1000",
        seller.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Gives an item this price. Orders that were made keep theirs.
///
/// # Errors
/// Those of the statement.
pub async fn set_price(db: impl PgExecutor<'_>, price: &Price) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into prices (item_type, item_id, seller_id, amount, currency, period) values ($1, $2, $3, $4, $5, $6)
         on conflict (item_type, item_id) do update
            set seller_id = excluded.seller_id, amount = excluded.amount, currency = excluded.currency, period = excluded.period",
        price.item_type.word(),
        price.item_id,
        price.seller.0,
        price.money.amount,
        price.money.currency.code(),
        price.period.map(Period::word),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Lets an item cost nothing again. Who paid keeps what they paid for.
///
/// # Errors
/// Those of the statement.
pub async fn drop_price(
    db: impl PgExecutor<'_>,
    kind: ItemType,
    id: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from prices where item_type = $1 and item_id = $2",
        kind.word(),
        id
    )
    .execute(db)
    .await?;
    Ok(())
}
