//! What people read of an order: a line each time something happened to it.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use crate::ids::{PaymentId, UserId};

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub n: i32,
    pub kind: String,
    /// Of refunds and disputes.
    pub amount: Option<i64>,
    /// A code, never a text for people.
    pub code: Option<String>,
    pub actor: Option<UserId>,
    pub at: DateTime<Utc>,
}

/// Everything that happened to an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_payment(
    db: impl PgExecutor<'_>,
    id: PaymentId,
) -> Result<Vec<Moment>, sqlx::Error> {
    sqlx::query_as!(
        Moment,
        r#"select n, kind, amount, code, actor_id as "actor: _", at from payment_moments where payment_id = $1 order by n"#,
        id.0,
    )
    .fetch_all(db)
    .await
}
