//! Money on its way back: the row comes first, the call after it, and the provider's word settles it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Facts, Payment, RefundFact, RefundState, column, moment};
use crate::ids::{PaymentId, RefundId, UserId};

/// Where a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The payer asks for it, and nobody has decided.
    Requested,
    /// Decided against.
    Declined,
    /// Decided; it counts against what was taken.
    Pending,
    Succeeded,
    Failed,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub id: RefundId,
    pub payment_id: PaymentId,
    /// In the minor unit of the order's currency.
    pub amount: i64,
    pub status: RefundStatus,
    pub reason: String,
    /// What was answered to who asked.
    pub answer: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A refund that is asked for or decided.
#[derive(Debug, Clone)]
pub struct NewRefundRow {
    pub payment: PaymentId,
    pub amount: i64,
    pub reason: String,
    pub by: UserId,
    /// Of who decides: said twice, it is one refund.
    pub idempotency_key: Option<String>,
}

/// Why a refund did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RefundError {
    #[error("there is no such order")]
    NotFound,
    #[error("nothing was paid that could be given back")]
    NotPaid,
    #[error("more than the {left} that are left")]
    TooMuch { left: i64 },
    #[error("the idempotency key was used for another amount")]
    KeyReused,
    #[error("it was asked for already")]
    AlreadyRequested,
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl RefundStatus {
    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Declined => "declined",
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [
            Self::Requested,
            Self::Declined,
            Self::Pending,
            Self::Succeeded,
            Self::Failed,
        ]
        .into_iter()
        .find(|status| status.word() == word)
    }
}

struct Row {
    id: Uuid,
    payment_id: Uuid,
    amount: i64,
    status: String,
    reason: String,
    answer: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl Row {
    fn read(self) -> Result<Refund, sqlx::Error> {
        Ok(Refund {
            id: RefundId(self.id),
            payment_id: PaymentId(self.payment_id),
            amount: self.amount,
            status: column("status", RefundStatus::of_word(&self.status))?,
            reason: self.reason,
            answer: self.answer,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The refund with this id.
///
/// # Errors
/// Those of the statement.
pub async fn find(db: impl PgExecutor<'_>, id: RefundId) -> Result<Option<Refund>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, payment_id, amount, status, reason, answer, created_at, updated_at from refunds where id = $1",
        id.0
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::read).transpose()
}

/// The refunds of an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_payment(
    db: impl PgExecutor<'_>,
    payment: PaymentId,
) -> Result<Vec<Refund>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, payment_id, amount, status, reason, answer, created_at, updated_at from refunds
          where payment_id = $1 order by id",
        payment.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// A payer asks for money back; somebody has to decide.
///
/// # Errors
/// [`RefundError`]
pub async fn ask(conn: &mut PgConnection, new: &NewRefundRow) -> Result<Refund, RefundError> {
    let payment = refundable(&mut *conn, new).await?;
    let asked = sqlx::query_scalar!(
        r#"select exists (select from refunds where payment_id = $1 and status = 'requested') as "asked!""#,
        new.payment.0
    )
    .fetch_one(&mut *conn)
    .await?;
    if asked {
        return Err(RefundError::AlreadyRequested);
    }
    let refund = insert(&mut *conn, &payment, new, RefundStatus::Requested).await?;
    let (amount, by) = (Some(new.amount), Some(new.by));
    moment::note(conn, new.payment, "refund_requested", amount, None, by).await?;
    Ok(refund)
}

/// Decides that money goes back: what is pending and what succeeded is never more than what was taken, under the order's lock.
/// The same key with the same amount is the same refund. What the payer asked for is answered by it.
///
/// # Errors
/// [`RefundError`]
pub async fn begin(conn: &mut PgConnection, new: &NewRefundRow) -> Result<Refund, RefundError> {
    // The lock comes first: of two that carry one key, the second waits here and finds the first one's row.
    let locked = Payment::lock(&mut *conn, new.payment).await?;
    locked.ok_or(RefundError::NotFound)?;
    if let Some(key) = &new.idempotency_key {
        let before = sqlx::query_as!(
            Row,
            "select id, payment_id, amount, status, reason, answer, created_at, updated_at from refunds
              where payment_id = $1 and idempotency_key = $2",
            new.payment.0,
            key,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(row) = before {
            let before = row.read()?;
            return if before.amount == new.amount {
                Ok(before)
            } else {
                Err(RefundError::KeyReused)
            };
        }
    }
    let payment = refundable(&mut *conn, new).await?;
    sqlx::query!(
        "update refunds set status = 'declined', decided_by = $2, answer = 'refunded' where payment_id = $1 and status = 'requested'",
        new.payment.0,
        new.by.0,
    )
    .execute(&mut *conn)
    .await?;
    let refund = insert(&mut *conn, &payment, new, RefundStatus::Pending).await?;
    let (amount, by) = (Some(new.amount), Some(new.by));
    moment::note(conn, new.payment, "refund_pending", amount, None, by).await?;
    Ok(refund)
}

/// Notes that the provider refused a refund; one that was settled otherwise stays.
///
/// # Errors
/// Those of the statements.
pub async fn failed(conn: &mut PgConnection, id: RefundId, code: &str) -> Result<(), sqlx::Error> {
    let failed = sqlx::query!(
        "update refunds set status = 'failed', failure_code = $2 where id = $1 and status = 'pending' and provider_refund is null
         returning payment_id, amount",
        id.0,
        code,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(row) = failed {
        let payment = PaymentId(row.payment_id);
        moment::note(
            conn,
            payment,
            "refund_failed",
            Some(row.amount),
            Some(code),
            None,
        )
        .await?;
    }
    Ok(())
}

/// Writes what the provider says of an order's refunds: ours by our id, those of its own dashboard as new rows. Under the
/// order's lock. Says which moved on.
pub(super) async fn settle(
    conn: &mut PgConnection,
    payment: &Payment,
    facts: &Facts,
) -> Result<bool, sqlx::Error> {
    let mut moved = false;
    for fact in &facts.refunds {
        moved |= settle_one(&mut *conn, payment, fact).await?;
    }
    Ok(moved)
}

async fn settle_one(
    conn: &mut PgConnection,
    payment: &Payment,
    fact: &RefundFact,
) -> Result<bool, sqlx::Error> {
    let status = match fact.state {
        RefundState::Pending => RefundStatus::Pending,
        RefundState::Succeeded => RefundStatus::Succeeded,
        RefundState::Failed => RefundStatus::Failed,
    };
    let ours = fact
        .reference
        .as_deref()
        .and_then(|id| id.parse::<Uuid>().ok());
    let row = sqlx::query!(
        r#"select id, status, provider_refund from refunds
            where payment_id = $1 and (provider_refund = $2 or id = $3)
            order by provider_refund is null limit 1"#,
        payment.id.0,
        fact.id,
        ours,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let (id, before) = match row {
        Some(row) => (row.id, RefundStatus::of_word(&row.status)),
        None => {
            let id = RefundId::new().0;
            sqlx::query!(
                "insert into refunds (id, payment_id, amount, currency, status, provider_refund) values ($1, $2, $3, $4, 'pending', $5)",
                id,
                payment.id.0,
                fact.amount.amount,
                fact.amount.currency.code(),
                fact.id,
            )
            .execute(&mut *conn)
            .await?;
            (id, Some(RefundStatus::Pending))
        }
    };
    // Never back: an answer may be older than what is known.
    let rank = |status: RefundStatus| match status {
        RefundStatus::Failed => 3,
        RefundStatus::Succeeded => 2,
        RefundStatus::Pending => 1,
        RefundStatus::Requested | RefundStatus::Declined => 0,
    };
    let after = before
        .filter(|before| rank(*before) >= rank(status))
        .unwrap_or(status);
    sqlx::query!(
        "update refunds set status = $2, provider_refund = $3, failure_code = coalesce($4, failure_code) where id = $1",
        id,
        after.word(),
        fact.id,
        fact.failure_code,
    )
    .execute(&mut *conn)
    .await?;
    if before == Some(after) {
        return Ok(false);
    }
    let kind = match after {
        RefundStatus::Succeeded => "refunded",
        RefundStatus::Failed => "refund_failed",
        _ => return Ok(true),
    };
    let (amount, code) = (Some(fact.amount.amount), fact.failure_code.as_deref());
    moment::note(conn, payment.id, kind, amount, code, None).await?;
    Ok(true)
}

/// How far refunds are, by the provider's ids.
pub(super) async fn known(
    conn: &mut PgConnection,
    payment: PaymentId,
) -> Result<Vec<(String, RefundState)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select provider_refund as "id!", status from refunds where payment_id = $1 and provider_refund is not null"#,
        payment.0
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let state = match row.status.as_str() {
                "succeeded" => RefundState::Succeeded,
                "failed" => RefundState::Failed,
                _ => RefundState::Pending,
            };
            (row.id, state)
        })
        .collect())
}

/// The order, locked, if so much of it can be given back.
async fn refundable(conn: &mut PgConnection, new: &NewRefundRow) -> Result<Payment, RefundError> {
    let payment = Payment::lock(&mut *conn, new.payment).await?;
    let payment = payment.ok_or(RefundError::NotFound)?;
    if payment.captured == 0 || payment.disputed > 0 {
        return Err(RefundError::NotPaid);
    }
    let given = sqlx::query_scalar!(
        r#"select coalesce(sum(amount), 0)::bigint as "given!" from refunds
            where payment_id = $1 and status in ('pending', 'succeeded')"#,
        new.payment.0
    )
    .fetch_one(conn)
    .await?;
    let left = payment.captured - given;
    if new.amount > left {
        return Err(RefundError::TooMuch { left });
    }
    Ok(payment)
}

async fn insert(
    conn: &mut PgConnection,
    payment: &Payment,
    new: &NewRefundRow,
    status: RefundStatus,
) -> Result<Refund, RefundError> {
    let requested = status == RefundStatus::Requested;
    let row = sqlx::query_as!(
        Row,
        "insert into refunds (id, payment_id, amount, currency, status, reason, requested_by, decided_by, idempotency_key)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         returning id, payment_id, amount, status, reason, answer, created_at, updated_at",
        RefundId::new().0,
        new.payment.0,
        new.amount,
        payment.price.currency.code(),
        status.word(),
        new.reason,
        requested.then_some(new.by.0),
        (!requested).then_some(new.by.0),
        new.idempotency_key,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.read()?)
}
