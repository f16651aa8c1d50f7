//! What things cost.

use serde::{Deserialize, Serialize};
use sqlx::PgExecutor;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Currency, ItemType, Money};
use crate::ids::UserId;

/// How often a channel is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Month,
    Year,
}

/// What a thing costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    pub item_type: ItemType,
    pub item_id: Uuid,
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

/// Gives a thing its price, or another one. Orders that were made keep theirs.
///
/// # Errors
/// Those of the statement.
pub async fn set_price(db: impl PgExecutor<'_>, price: &Price) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into prices (item_type, item_id, seller_id, amount, currency, period) values ($1, $2, $3, $4, $5, $6)
         on conflict (item_type, item_id) do update
            set seller_id = excluded.seller_id, amount = excluded.amount, currency = excluded.currency,
                period = excluded.period",
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

/// Lets a thing cost nothing again; whether it had a price.
///
/// # Errors
/// Those of the statement.
pub async fn drop_price(
    db: impl PgExecutor<'_>,
    kind: ItemType,
    id: Uuid,
) -> Result<bool, sqlx::Error> {
    let gone = sqlx::query!(
        "delete from prices where item_type = $1 and item_id = $2",
        kind.word(),
        id
    )
    .execute(db)
    .await?;
    Ok(gone.rows_affected() == 1)
}

/// What a thing costs; none if it costs nothing.
///
/// # Errors
/// Those of the statement.
pub async fn price_of(
    db: impl PgExecutor<'_>,
    kind: ItemType,
    id: Uuid,
) -> Result<Option<Price>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select item_type, item_id, seller_id, amount, currency, period from prices where item_type = $1 and item_id = $2",
        kind.word(),
        id,
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::price).transpose()
}

/// What somebody sells, the latest first.
///
/// # Errors
/// Those of the statement.
pub async fn prices_of(db: impl PgExecutor<'_>, seller: UserId) -> Result<Vec<Price>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select item_type, item_id, seller_id, amount, currency, period from prices
          where seller_id = $1 order by created_at desc, item_id",
        seller.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::price).collect()
}

/// The currency of a column.
pub(super) fn decode(code: &str) -> Result<Currency, sqlx::Error> {
    Currency::parse(code)
        .ok_or_else(|| sqlx::Error::Decode(format!("{code} is no currency").into()))
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
    fn price(self) -> Result<Price, sqlx::Error> {
        let odd = |what: &str| sqlx::Error::Decode(format!("{what} of a price").into());
        let period = self
            .period
            .as_deref()
            .map(|word| Period::of_word(word).ok_or_else(|| odd("the period")));
        Ok(Price {
            item_type: ItemType::of_word(&self.item_type).ok_or_else(|| odd("the item"))?,
            item_id: self.item_id,
            seller: UserId(self.seller_id),
            money: Money::new(self.amount, decode(&self.currency)?),
            period: period.transpose()?,
        })
    }
}
