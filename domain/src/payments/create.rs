//! A new order.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{ItemType, Money, Payment, Period, moment, order::orders};
use crate::{
    email::Language,
    ids::{PaymentId, UserId},
};

/// What somebody wants to pay for. The price is the item's; of a tip, what the payer chose.
#[derive(Debug, Clone)]
pub struct NewPayment {
    pub payer: UserId,
    pub item_type: ItemType,
    pub item_id: Uuid,
    pub seller: UserId,
    pub title: String,
    /// What the payer says to the creator, with a tip.
    pub message: String,
    pub price: Money,
    /// Of a channel, and of nothing else.
    pub period: Option<Period>,
    /// What of each 10,000 stays with the house.
    pub share_bps: i32,
    /// Chosen by the client: said twice, it is one order.
    pub idempotency_key: String,
    pub provider: String,
    pub language: Language,
    /// How long it can be paid.
    pub ttl: Duration,
}

/// An order that is there now.
#[derive(Debug, Clone)]
pub struct Created {
    pub payment: Payment,
    /// Whether it was not there before.
    pub new: bool,
}

/// Why an order was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    #[error("the idempotency key was used for something else")]
    KeyReused,
    #[error("it is paid for already")]
    Owned,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Makes an order, once for each key of a payer. The same key with another item, or a tip of another amount, is refused; with
/// the same item it is the first order, also when the price changed since.
///
/// # Errors
/// [`CreateError`]; the transaction is still of use.
pub async fn create(conn: &mut PgConnection, new: &NewPayment) -> Result<Created, CreateError> {
    let before = orders!(
        "select",
        "from payments where user_id = $1 and idempotency_key = $2",
        new.payer.0,
        new.idempotency_key,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(row) = before {
        return same(row.read()?, new);
    }
    if owned(&mut *conn, new).await? {
        return Err(CreateError::Owned);
    }
    let ttl = i64::try_from(new.ttl.as_secs()).unwrap_or(i64::MAX);
    let id = PaymentId::new();
    let row = orders!(
        "insert into payments (id, user_id, item_type, item_id, seller_id, title, message, amount, currency, period, share_bps,
                idempotency_key, provider, language, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now() + make_interval(secs => $15::bigint))
         on conflict (user_id, idempotency_key) do nothing returning",
        "",
        id.0,
        new.payer.0,
        new.item_type.word(),
        new.item_id,
        new.seller.0,
        new.title,
        new.message,
        new.price.amount,
        new.price.currency.code(),
        new.period.map(Period::word),
        new.share_bps,
        new.idempotency_key,
        new.provider,
        new.language.tag(),
        ttl,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(row) = row {
        moment::note(conn, id, "created", None, None, Some(new.payer)).await?;
        return Ok(Created {
            payment: row.read()?,
            new: true,
        });
    }
    // Another request with this key came between: its commit was waited for, so it is seen now.
    let row = orders!(
        "select",
        "from payments where user_id = $1 and idempotency_key = $2",
        new.payer.0,
        new.idempotency_key,
    )
    .fetch_one(conn)
    .await?;
    same(row.read()?, new)
}

fn same(payment: Payment, new: &NewPayment) -> Result<Created, CreateError> {
    let tip = new.item_type == ItemType::Tip;
    let fits = payment.item_type == new.item_type
        && payment.item_id == new.item_id
        && (!tip || (payment.price == new.price && payment.message == new.message));
    if fits {
        Ok(Created {
            payment,
            new: false,
        })
    } else {
        Err(CreateError::KeyReused)
    }
}

/// Whether who wants to pay has what they want already. Two orders that are both open are for the provider's pages to tell
/// apart; whoever pays both is given one back.
async fn owned(conn: &mut PgConnection, new: &NewPayment) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from entitlements
                           where user_id = $1 and item_type = $2 and item_id = $3 and revoked_at is null
                             and (expires_at is null or expires_at > now())) as "owned!""#,
        new.payer.0,
        new.item_type.word(),
        new.item_id,
    )
    .fetch_one(conn)
    .await
}
