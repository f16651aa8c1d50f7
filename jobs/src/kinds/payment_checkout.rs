//! payment_checkout: the provider is asked for a page to pay on.

use std::time::Duration;

use millrace_domain::{
    ids::PaymentId,
    payments::{self, OpenPage, Payment, ProviderError},
};
use millrace_queue::{Backoff, Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    payments::{apply, page_of, provider_failure, without_page},
};

/// Asks for the page of an order, and notes where it is.
/// Safe twice: the provider gives the same page for the same order, and it is noted once. A worker that dies between the
/// two leaves a page that nobody can reach, and the next run finds it.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentCheckout {
    pub payment: PaymentId,
}

impl Job for PaymentCheckout {
    const KIND: &'static str = "payment_checkout";
    const QUEUE: &'static str = "default";
    /// Somebody looks at a spinner.
    const PRIORITY: i16 = -20;
    const MAX_ATTEMPTS: u16 = 40;
    const TIMEOUT: Duration = Duration::from_secs(2 * 60);
    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(500), 2.0, Duration::from_secs(60));

    async fn run(self, cx: &JobContext) -> Outcome {
        let payment = Payment::find(cx.db(), self.payment)
            .await?
            .or_cancel("the order is gone")?;
        // One that is being closed has its own job, which opens what it closes if it must.
        if !payment.status.is_open()
            || payment.provider_session.is_some()
            || payment.closing.is_some()
        {
            return Ok(Done::Completed);
        }
        let provider = cx.provider(&payment.provider)?;
        match provider.open(&page_of(cx, &payment)).await {
            Ok(page) => opened(cx, &payment, &page).await,
            Err(ProviderError::Refused { code, message }) => {
                tracing::error!(payment.id = %payment.id, code, message, "the provider refuses an order");
                let facts = without_page(&payment, Some(code));
                cx.complete(cx.db(), async |tx| {
                    let (_, wake) = apply(tx, provider.name(), &payment, &facts).await?;
                    Ok::<_, Failure>(wake)
                })
                .await
            }
            Err(error) => Err(provider_failure(error)),
        }
    }
}

async fn opened(cx: &JobContext, payment: &Payment, page: &OpenPage) -> Outcome {
    cx.complete(cx.db(), async |tx| {
        let mut wake = Wake::none();
        if let Some(now) = payments::opened(&mut *tx, payment.id, page).await? {
            wake.merge(payments::announce(tx, &now).await?);
        }
        Ok::<_, Failure>(wake)
    })
    .await
}
