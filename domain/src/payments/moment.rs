//! What people read of an order: a line each time something happened to it.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgExecutor};

use crate::ids::{PaymentId, UserId};

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// From 1 on.
    pub n: i32,
    /// As in the comment of the table `payment_moments`.
    pub kind: String,
    /// Of refunds and disputes, in the minor unit.
    pub amount: Option<i64>,
    /// A code, never a text for people.
    pub code: Option<String>,
    pub at: DateTime<Utc>,
}

/// Notes that something happened. Under the order's lock, or in the transaction that makes it.
pub(super) async fn note(
    conn: &mut PgConnection,
    payment: PaymentId,
    kind: &str,
    amount: Option<i64>,
    code: Option<&str>,
    actor: Option<UserId>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into payment_moments (payment_id, n, kind, amount, code, actor_id)
         select $1, coalesce(max(n), 0) + 1, $2, $3, $4, $5 from payment_moments where payment_id = $1",
        payment.0,
        kind,
        amount,
        code,
        actor.map(|actor| actor.0),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Everything that happened to an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_payment(
    db: impl PgExecutor<'_>,
    payment: PaymentId,
) -> Result<Vec<Moment>, sqlx::Error> {
    sqlx::query_as!(
        Moment,
        "select n, kind, amount, code, at from payment_moments where payment_id = $1 order by n",
        payment.0
    )
    .fetch_all(db)
    .await
}
