//! The inbox: what providers told us, once, as they told it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor};
use utoipa::ToSchema;

use super::{Delivery, column};
use crate::ids::{PaymentEventId, PaymentId};

/// How an event came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentEventSource)]
pub enum Source {
    /// The provider called.
    Delivered,
    /// It was read in the provider's list, since the call had been lost.
    Fetched,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = PaymentEventOutcome)]
pub enum EventOutcome {
    /// It changed the order.
    Applied,
    /// What it says was known.
    Unchanged,
    /// It is about nothing of ours.
    Ignored,
    /// What the provider says does not fit the order.
    Quarantined,
}

/// An event in the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEvent {
    pub id: PaymentEventId,
    pub provider: String,
    /// The provider's id of it.
    pub event_id: String,
    pub kind: String,
    /// The bytes that were signed.
    pub body: Vec<u8>,
    pub source: Source,
    pub received_at: DateTime<Utc>,
    pub applied_at: Option<DateTime<Utc>>,
    /// None while nobody has worked it off.
    pub outcome: Option<EventOutcome>,
}

impl Source {
    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Fetched => "fetched",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [Self::Delivered, Self::Fetched]
            .into_iter()
            .find(|source| source.word() == word)
    }
}

impl EventOutcome {
    /// The word as columns and JSON spell it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Unchanged => "unchanged",
            Self::Ignored => "ignored",
            Self::Quarantined => "quarantined",
        }
    }

    fn of_word(word: &str) -> Option<Self> {
        [
            Self::Applied,
            Self::Unchanged,
            Self::Ignored,
            Self::Quarantined,
        ]
        .into_iter()
        .find(|outcome| outcome.word() == word)
    }
}

struct Row {
    id: uuid::Uuid,
    provider: String,
    event_id: String,
    kind: String,
    body: Vec<u8>,
    source: String,
    received_at: DateTime<Utc>,
    applied_at: Option<DateTime<Utc>>,
    outcome: Option<String>,
}

impl Row {
    fn read(self) -> Result<InboxEvent, sqlx::Error> {
        Ok(InboxEvent {
            id: PaymentEventId(self.id),
            provider: self.provider,
            event_id: self.event_id,
            kind: self.kind,
            body: self.body,
            source: column("source", Source::of_word(&self.source))?,
            received_at: self.received_at,
            applied_at: self.applied_at,
            outcome: match self.outcome {
                Some(word) => Some(column("outcome", EventOutcome::of_word(&word))?),
                None => None,
            },
        })
    }
}

/// Stores what a provider said; none if it was stored before.
///
/// # Errors
/// Those of the statement.
pub async fn store(
    db: impl PgExecutor<'_>,
    provider: &str,
    delivery: &Delivery,
    source: Source,
) -> Result<Option<PaymentEventId>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "insert into payment_events (id, provider, event_id, kind, object_id, body, source)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict on constraint payment_events_once do nothing returning id",
        PaymentEventId::new().0,
        provider,
        delivery.event_id,
        delivery.kind,
        delivery.object_id,
        delivery.body,
        source.word(),
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(PaymentEventId))
}

/// The event with this id.
///
/// # Errors
/// Those of the statement.
pub async fn load(
    db: impl PgExecutor<'_>,
    id: PaymentEventId,
) -> Result<Option<InboxEvent>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        "select id, provider, event_id, kind, body, source, received_at, applied_at, outcome
           from payment_events where id = $1",
        id.0
    )
    .fetch_optional(db)
    .await?;
    row.map(Row::read).transpose()
}

/// Notes what became of an event; the first word stays.
///
/// # Errors
/// Those of the statement.
pub async fn applied(
    conn: &mut PgConnection,
    id: PaymentEventId,
    payment: Option<PaymentId>,
    outcome: EventOutcome,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update payment_events set payment_id = $2, outcome = $3, applied_at = now()
          where id = $1 and applied_at is null",
        id.0,
        payment.map(|payment| payment.0),
        outcome.word(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was said of an order, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn of_payment(
    db: impl PgExecutor<'_>,
    payment: PaymentId,
) -> Result<Vec<InboxEvent>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        "select id, provider, event_id, kind, body, source, received_at, applied_at, outcome
           from payment_events where payment_id = $1 order by id limit 1000",
        payment.0
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

/// Events that nobody has worked off for this long, oldest first.
///
/// # Errors
/// Those of the statement.
pub async fn open(
    db: impl PgExecutor<'_>,
    for_long: Duration,
    limit: i64,
) -> Result<Vec<PaymentEventId>, sqlx::Error> {
    let seconds = i64::try_from(for_long.as_secs()).unwrap_or(i64::MAX);
    let ids = sqlx::query_scalar!(
        "select id from payment_events
          where applied_at is null and received_at < now() - make_interval(secs => $1::bigint)
          order by received_at limit $2",
        seconds,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(ids.into_iter().map(PaymentEventId).collect())
}
