//! payment_reconcile: how does an order really stand?

use std::time::Duration;

use millrace_domain::{ids::PaymentId, payments::Payment};
use millrace_queue::{OrOutcome as _, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, payments::look_at};

/// Asks the provider how an order stands and writes it down, whoever said or lost what before.
/// Safe twice: what is known already changes nothing.
#[derive(Debug, Serialize, Deserialize)]
pub struct PaymentReconcile {
    pub payment: PaymentId,
}

impl Job for PaymentReconcile {
    const KIND: &'static str = "payment_reconcile";
    const QUEUE: &'static str = "default";
    const MAX_ATTEMPTS: u16 = 8;
    const TIMEOUT: Duration = Duration::from_secs(2 * 60);

    async fn run(self, cx: &JobContext) -> Outcome {
        let payment = Payment::find(cx.db(), self.payment)
            .await?
            .or_cancel("the order is gone")?;
        look_at(cx, &payment).await
    }
}
