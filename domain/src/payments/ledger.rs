//! The ledger, read. What writes it is the fold alone.

use chrono::{DateTime, Utc};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{Currency, Money, price::decode};
use crate::ids::{PaymentId, UserId};

/// Something that moved, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    pub key: String,
    /// capture, refund, refund_failed, dispute or dispute_won.
    pub cause: String,
    pub currency: Currency,
    /// When it happened at the provider.
    pub occurred_at: DateTime<Utc>,
    /// They add up to nothing.
    pub lines: Vec<PostedLine>,
}

/// One side of a posting: debits are positive, credits negative.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct PostedLine {
    /// clearing, creator or house.
    pub account: String,
    /// Of a creator's account: whose.
    pub owner_id: Option<UserId>,
    pub amount: i64,
}

/// What lies on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Balance {
    pub account: String,
    pub owner_id: Option<UserId>,
    pub money: Money,
}

/// What moved because of an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn postings_of(
    db: impl PgExecutor<'_>,
    payment: PaymentId,
) -> Result<Vec<Posting>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select p.key, p.kind, p.currency, p.occurred_at,
                  (select jsonb_agg(jsonb_build_object('account', l.account, 'owner_id', l.owner_id, 'amount', l.amount)
                                    order by l.n)
                     from ledger_lines l where l.posting_id = p.id) as "lines!: Json<Vec<PostedLine>>"
             from ledger_postings p where p.payment_id = $1 order by p.id"#,
        payment.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Posting {
                key: row.key,
                cause: row.kind,
                currency: decode(&row.currency)?,
                occurred_at: row.occurred_at,
                lines: row.lines.0,
            })
        })
        .collect()
}

/// What lies on all accounts, by currency. Of a creator, what is owed is negative.
///
/// # Errors
/// Those of the statement.
pub async fn balances(db: impl PgExecutor<'_>) -> Result<Vec<Balance>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select l.account, l.owner_id, p.currency, sum(l.amount)::bigint as "amount!"
             from ledger_lines l join ledger_postings p on p.id = l.posting_id
            group by l.account, l.owner_id, p.currency order by l.account, l.owner_id, p.currency"#
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| balance(row.account, row.owner_id, &row.currency, row.amount))
        .collect()
}

/// What lies on one creator's accounts, by currency: what is owed is negative.
///
/// # Errors
/// Those of the statement.
pub async fn of_owner(db: impl PgExecutor<'_>, owner: UserId) -> Result<Vec<Balance>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select l.account, l.owner_id, p.currency, sum(l.amount)::bigint as "amount!"
             from ledger_lines l join ledger_postings p on p.id = l.posting_id
            where l.owner_id = $1 group by l.account, l.owner_id, p.currency order by p.currency"#,
        owner.0,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| balance(row.account, row.owner_id, &row.currency, row.amount))
        .collect()
}

fn balance(
    account: String,
    owner: Option<Uuid>,
    currency: &str,
    amount: i64,
) -> Result<Balance, sqlx::Error> {
    Ok(Balance {
        account,
        owner_id: owner.map(UserId),
        money: Money::new(amount, decode(currency)?),
    })
}
