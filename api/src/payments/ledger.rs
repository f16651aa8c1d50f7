//! An order as staff see it: with what the provider said and what moved.

use chrono::{DateTime, Utc};
use millrace_domain::{
    ids::{PaymentEventId, UserId},
    payments::{
        self, Account, Cause, EventOutcome, InboxEvent, Payment, Posting, Source, event, ledger,
    },
};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::view::OrderDetail;
use crate::problem::Problem;

/// Who paid, or is to.
#[derive(Debug, Serialize, ToSchema)]
struct Payer {
    id: UserId,
    username: String,
}

/// What a provider said, without its text.
#[derive(Debug, Serialize, ToSchema)]
struct OrderEvent {
    id: PaymentEventId,
    /// The provider's id of it.
    event_id: String,
    kind: String,
    source: Source,
    received_at: DateTime<Utc>,
    /// None while nobody has worked it off.
    #[schema(required)]
    outcome: Option<EventOutcome>,
}

/// What moved on one account: towards it positive.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerLine {
    account: Account,
    /// Of a creator's account: whose.
    #[schema(required)]
    owner_id: Option<UserId>,
    amount: i64,
}

/// Something that moved: its lines add up to nothing.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerPosting {
    key: String,
    kind: Cause,
    occurred_at: DateTime<Utc>,
    lines: Vec<LedgerLine>,
}

/// An order with what the provider said of it and what moved because of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdminOrderDetail {
    #[serde(flatten)]
    order: OrderDetail,
    /// None of an account that is gone.
    #[schema(required)]
    payer: Option<Payer>,
    provider: String,
    #[schema(required)]
    provider_session: Option<String>,
    #[schema(required)]
    provider_intent: Option<String>,
    /// Why staff have to look at it.
    #[schema(required)]
    quarantined_for: Option<String>,
    /// Oldest first.
    events: Vec<OrderEvent>,
    /// Oldest first.
    postings: Vec<LedgerPosting>,
}

impl AdminOrderDetail {
    /// An order as it is at the moment of `conn`.
    pub(super) async fn of(conn: &mut PgConnection, payment: Payment) -> Result<Self, Problem> {
        let id = payment.id;
        let payer = match payment.user_id {
            Some(id) => payments::names(&mut *conn, &[id])
                .await?
                .remove(&id)
                .map(|username| Payer { id, username }),
            None => None,
        };
        let events = event::of_payment(&mut *conn, id).await?;
        let postings = ledger::postings_of(&mut *conn, id).await?;
        Ok(Self {
            payer,
            provider: payment.provider.clone(),
            provider_session: payment.provider_session.clone(),
            provider_intent: payment.provider_intent.clone(),
            quarantined_for: payment.quarantined_for.clone(),
            order: OrderDetail::of(conn, payment).await?,
            events: events.into_iter().map(Into::into).collect(),
            postings: postings.into_iter().map(Into::into).collect(),
        })
    }
}

impl From<InboxEvent> for OrderEvent {
    fn from(event: InboxEvent) -> Self {
        Self {
            id: event.id,
            event_id: event.event_id,
            kind: event.kind,
            source: event.source,
            received_at: event.received_at,
            outcome: event.outcome,
        }
    }
}

impl From<Posting> for LedgerPosting {
    fn from(posting: Posting) -> Self {
        let lines = posting.lines.into_iter().map(|line| LedgerLine {
            account: line.account,
            owner_id: line.owner_id,
            amount: line.amount,
        });
        Self {
            key: posting.key,
            kind: posting.cause,
            occurred_at: posting.occurred_at,
            lines: lines.collect(),
        }
    }
}
