//! payment_callback: a provider said that something happened.

use std::time::Duration;

use millrace_domain::{
    ids::{PaymentEventId, PaymentId},
    payments::{
        About, EventOutcome, Handle, InboxEvent, Payment, Provider, ProviderError, event,
    },
};
use millrace_queue::{Backoff, Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    payments::{apply, handle, provider_failure},
};

/// Reads what an event is about, asks the provider what is true now, and writes that.
/// Safe twice, in any order and at the same time: the event itself changes nothing, the fold of what the provider says is
/// idempotent under the order's lock, and the event is closed in the transaction that ends the job.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentCallback {
    pub event: PaymentEventId,
}

impl Job for PaymentCallback {
    const KIND: &'static str = "payment_callback";
    const QUEUE: &'static str = "default";
    /// Somebody has paid and waits for what they paid for.
    const PRIORITY: i16 = -20;
    /// With the waits below some six hours. An event may overtake the commit of its order, but not by that much.
    const MAX_ATTEMPTS: u16 = 45;
    const TIMEOUT: Duration = Duration::from_secs(2 * 60);
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(10 * 60));

    async fn run(self, cx: &JobContext) -> Outcome {
        let event = event::load(cx.db(), self.event)
            .await?
            .or_cancel("the event is gone")?;
        if event.applied_at.is_some() {
            return Ok(Done::Completed);
        }
        let provider = cx.provider(&event.provider)?;
        let about = provider
            .read(&event.body)
            .or_fail("the event cannot be read")?
            .about;
        match find(cx, provider.as_ref(), &about).await? {
            Found::Order(payment) => settle(cx, provider.as_ref(), &event, &payment).await,
            Found::NotOurs => close(cx, &event).await,
            // Whoever waited this long for an order waits for one of somebody else's.
            Found::NotYet if cx.attempt >= cx.max_attempts => {
                tracing::warn!(event.id = %event.id, event.kind, "an event is about an order that never came");
                close(cx, &event).await
            }
            Found::NotYet => Err(Failure::Retry("the order is not known yet".into())),
        }
    }
}

/// Whose order an event is about.
enum Found {
    Order(Box<Payment>),
    /// It may still be on its way: we are told of pages before we have noted them.
    NotYet,
    NotOurs,
}

async fn find(
    cx: &JobContext,
    provider: &dyn Provider,
    about: &About,
) -> Result<Found, Failure> {
    if let Some(payment) = Payment::of_handle(cx.db(), provider.name(), about).await? {
        return Ok(Found::Order(Box::new(payment)));
    }
    let About::Session(session) = about else {
        return Ok(match about {
            About::Nothing => Found::NotOurs,
            _ => Found::NotYet,
        });
    };
    // The page carries our id, so another system that shares the account is told from an order that we have not noted.
    let facts = match provider.facts(&Handle::Session(session.clone())).await {
        Ok(facts) => facts,
        Err(ProviderError::NotFound) => return Ok(Found::NotOurs),
        Err(error) => return Err(provider_failure(error)),
    };
    let ours = facts.reference.and_then(|id| id.parse::<PaymentId>().ok());
    Ok(if ours.is_some() { Found::NotYet } else { Found::NotOurs })
}

async fn settle(
    cx: &JobContext,
    provider: &dyn Provider,
    event: &InboxEvent,
    payment: &Payment,
) -> Outcome {
    let handle = handle(payment).ok_or("the order has no page yet")?;
    let facts = provider.facts(&handle).await.map_err(provider_failure)?;
    cx.complete(cx.db(), async |tx| {
        let (applied, wake) = apply(&mut *tx, provider.name(), payment, &facts).await?;
        let outcome = match (applied.quarantined, applied.changed) {
            (true, _) => EventOutcome::Quarantined,
            (false, true) => EventOutcome::Applied,
            (false, false) => EventOutcome::Unchanged,
        };
        event::applied(tx, event.id, Some(payment.id), outcome).await?;
        Ok::<_, Failure>(wake)
    })
    .await
}

async fn close(cx: &JobContext, event: &InboxEvent) -> Outcome {
    cx.complete(cx.db(), async |tx| {
        event::applied(tx, event.id, None, EventOutcome::Ignored).await?;
        Ok::<_, Failure>(Wake::none())
    })
    .await
}
