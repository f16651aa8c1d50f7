//! expire_payments: orders that nobody paid in time.

use millrace_domain::payments::{self, Closing};
use millrace_queue::{Done, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows};

/// Orders of one run; the next comes in a minute.
const BATCH: i64 = 500;

/// Lets the pages of orders that are overdue be closed, by a job each.
/// Safe twice: an order that is being closed is not overdue.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExpirePayments {}

impl Job for ExpirePayments {
    const KIND: &'static str = "expire_payments";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 20;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "40 * * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        for id in payments::overdue(cx.db(), BATCH).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            // None: it was paid or given up since.
            if let Some(wake) = flows::end_payment(&mut tx, id, Closing::Expired).await? {
                tx.commit().await?;
                wake.fire(cx.notifier());
            }
        }
        Ok(Done::Completed)
    }
}
