//! payment_refund: money goes back.

use std::time::Duration;

use millrace_domain::{
    ids::RefundId,
    payments::{self, Money, NewRefund, Payment, ProviderError, RefundStatus, refund},
};
use millrace_queue::{Backoff, Done, Failure, OrOutcome as _, Outcome, Wake};
use serde::{Deserialize, Serialize};

use crate::{
    Job, JobContext,
    payments::{look_at, provider_failure},
};

/// Asks the provider for a refund that was decided. What it says of the order afterwards settles it; a bank may take days,
/// and an event tells then.
/// Safe twice: the row is before the call, and the provider gives once what carries one id.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentRefund {
    pub refund: RefundId,
}

impl Job for PaymentRefund {
    const KIND: &'static str = "payment_refund";
    const QUEUE: &'static str = "default";
    /// Some two days: it is somebody's money.
    const MAX_ATTEMPTS: u16 = 200;
    const TIMEOUT: Duration = Duration::from_secs(2 * 60);
    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(2), 2.0, Duration::from_secs(15 * 60));

    async fn run(self, cx: &JobContext) -> Outcome {
        let wanted = refund::find(cx.db(), self.refund)
            .await?
            .or_cancel("the refund is gone")?;
        if wanted.status != RefundStatus::Pending {
            return Ok(Done::Completed);
        }
        let payment = Payment::find(cx.db(), wanted.payment_id)
            .await?
            .or_fail("the order is gone")?;
        let provider = cx.provider(&payment.provider)?;
        let ask = NewRefund {
            refund: wanted.id,
            intent: payment
                .provider_intent
                .clone()
                .or_fail("the order was never paid")?,
            amount: Money::new(wanted.amount, payment.price.currency),
        };
        match provider.refund(&ask).await {
            Ok(_) => look_at(cx, &payment).await,
            Err(ProviderError::Refused { code, message }) => {
                tracing::warn!(refund.id = %wanted.id, code, message, "the provider refuses a refund");
                self.refused(cx, &payment, &code).await
            }
            Err(ProviderError::NotFound) => self.refused(cx, &payment, "not_found").await,
            Err(error) => Err(provider_failure(error)),
        }
    }
}

impl PaymentRefund {
    async fn refused(&self, cx: &JobContext, payment: &Payment, code: &str) -> Outcome {
        cx.complete(cx.db(), async |tx| {
            refund::failed(&mut *tx, self.refund, code).await?;
            let mut wake = Wake::none();
            wake.merge(payments::announce(tx, payment).await?);
            Ok::<_, Failure>(wake)
        })
        .await
    }
}
