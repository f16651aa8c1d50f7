//! payment_close: nobody can pay an order any more.

use std::time::Duration;

use millrace_domain::{
    ids::PaymentId,
    payments::{self, Handle, Page, Payment, Provider, ProviderError},
};
use millrace_queue::{Backoff, Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    payments::{apply, page_of, provider_failure, without_page},
};

/// Closes the page of an order that was given up or is overdue, and ends the order, unless it was paid meanwhile: what
/// the provider says after the page was closed decides.
/// Safe twice: a page that is closed is closed again at no cost, and an order ends once.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentClose {
    pub payment: PaymentId,
}

impl Job for PaymentClose {
    const KIND: &'static str = "payment_close";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = -10;
    /// As long as it can be paid, it can be paid by mistake.
    const MAX_ATTEMPTS: u16 = 200;
    const TIMEOUT: Duration = Duration::from_secs(2 * 60);
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(1), 2.0, Duration::from_secs(5 * 60));

    async fn run(self, cx: &JobContext) -> Outcome {
        let payment = Payment::find(cx.db(), self.payment)
            .await?
            .or_cancel("the order is gone")?;
        if !payment.status.is_open() || payment.closing.is_none() {
            return Ok(Done::Completed);
        }
        let provider = cx.provider(&payment.provider)?;
        let facts = match session(cx, provider.as_ref(), &payment).await? {
            Some(session) => {
                provider.close(&session).await.map_err(provider_failure)?;
                let facts = provider.facts(&Handle::Session(session)).await;
                facts.map_err(provider_failure)?
            }
            None => without_page(&payment, None),
        };
        if facts.page == Page::Open {
            return Err(Failure::Retry("the page is open still".into()));
        }
        cx.complete(cx.db(), async |tx| {
            let (_, wake) = apply(tx, provider.name(), &payment, &facts).await?;
            Ok::<_, Failure>(wake)
        })
        .await
    }
}

/// The order's page. One that was never noted may be open all the same, if a worker died after it had asked: asked for
/// again it is the same page, and what the provider refuses now it had not opened before.
async fn session(
    cx: &JobContext,
    provider: &dyn Provider,
    payment: &Payment,
) -> Result<Option<String>, Failure> {
    if let Some(session) = &payment.provider_session {
        return Ok(Some(session.clone()));
    }
    match provider.open(&page_of(cx, payment)).await {
        Ok(page) => {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            let mut wake = Wake::none();
            if let Some(now) = payments::opened(&mut tx, payment.id, &page).await? {
                wake.merge(payments::announce(&mut tx, &now).await?);
            }
            tx.commit().await?;
            wake.fire(cx.notifier());
            Ok(Some(page.session))
        }
        Err(ProviderError::Refused { .. }) => Ok(None),
        Err(error) => Err(provider_failure(error)),
    }
}
