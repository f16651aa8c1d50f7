//! The inbox: what providers told us, as they told it, once.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgExecutor, postgres::types::PgInterval};
use utoipa::ToSchema;

use super::Delivery;
use crate::ids::{PaymentEventId, PaymentId};

/// How an event came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = PaymentEventSource)]
pub enum Source {
    /// They called us.
    Delivered,
    /// We read it in their list, since the call had been lost.
    Fetched,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = PaymentEventOutcome)]
pub enum EventOutcome {
    /// The order moved on.
    Applied,
    /// What it says was known.
    Unchanged,
    /// It is about nothing of ours.
    Ignored,
    /// What the provider says does not fit the order.
    Quarantined,
}

/// An event as it is stored.
#[derive(Debug, Clone)]
pub struct InboxEvent {
    pub id: PaymentEventId,
    pub provider: String,
    /// The provider's id of it.
    pub event_id: String,
    pub kind: String,
    /// Known once it was worked off.
    pub payment_id: Option<PaymentId>,
    /// The bytes that were signed.
    pub body: Vec<u8>,
    pub source: Source,
    pub received_at: DateTime<Utc>,
    /// When it was worked off.
    pub applied_at: Option<DateTime<Utc>>,
    pub outcome: Option<EventOutcome>,
}

/// Stores an event, once; none if it is known.
///
/// # Errors
/// Those of the statement.
pub async fn store(
    db: impl PgExecutor<'_>,
    provider: &str,
    delivery: &Delivery,
    source: Source,
) -> Result<Option<PaymentEventId>, sqlx::Error> {
    let id = PaymentEventId::new();
    let stored = sqlx::query!(
        "insert into payment_events (id, provider, event_id, kind, object_id, body, source)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict on constraint payment_events_once do nothing",
        id.0,
        provider,
        delivery.event_id,
        delivery.kind,
        delivery.object_id,
        delivery.body,
        source as Source,
    )
    .execute(db)
    .await?;
    Ok((stored.rows_affected() == 1).then_some(id))
}

/// An event.
///
/// # Errors
/// Those of the statement.
pub async fn load(
    db: impl PgExecutor<'_>,
    id: PaymentEventId,
) -> Result<Option<InboxEvent>, sqlx::Error> {
    sqlx::query_as!(
        InboxEvent,
        r#"select id as "id: _", provider, event_id, kind, payment_id as "payment_id: _", body, source as "source: _",
                  received_at, applied_at, outcome as "outcome: _"
             from payment_events where id = $1"#,
        id.0,
    )
    .fetch_optional(db)
    .await
}

/// Notes that an event was worked off, unless it was before.
///
/// # Errors
/// Those of the statement.
pub async fn applied(
    db: impl PgExecutor<'_>,
    id: PaymentEventId,
    payment: Option<PaymentId>,
    outcome: EventOutcome,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update payment_events set applied_at = now(), payment_id = $2, outcome = $3
          where id = $1 and applied_at is null",
        id.0,
        payment.map(|id| id.0),
        outcome as EventOutcome,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was told of an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_payment(
    db: impl PgExecutor<'_>,
    id: PaymentId,
) -> Result<Vec<InboxEvent>, sqlx::Error> {
    sqlx::query_as!(
        InboxEvent,
        r#"select id as "id: _", provider, event_id, kind, payment_id as "payment_id: _", body, source as "source: _",
                  received_at, applied_at, outcome as "outcome: _"
             from payment_events where payment_id = $1 order by id limit 500"#,
        id.0,
    )
    .fetch_all(db)
    .await
}

/// Events that nobody has worked off for this long, the oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn open(
    db: impl PgExecutor<'_>,
    older_than: Duration,
    limit: i64,
) -> Result<Vec<PaymentEventId>, sqlx::Error> {
    let age = PgInterval::try_from(older_than).map_err(sqlx::Error::Encode)?;
    sqlx::query_scalar!(
        r#"select id as "id: _" from payment_events
            where applied_at is null and received_at < now() - $1::interval
            order by received_at limit $2"#,
        age,
        limit,
    )
    .fetch_all(db)
    .await
}
