//! recommend: what people may like.

use std::time::Duration;

use millrace_domain::{
    ids::UserId,
    recommend::{self, CoViewing},
};
use millrace_queue::{Done, Failure, Outcome, Schedule};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use crate::{Job, JobContext};

/// The model. Another one is another implementation of `Recommender`, named here.
const MODEL: CoViewing = CoViewing;
/// People of one transaction: each takes some milliseconds.
const BATCH: i64 = 50;
/// How long it holds its place in the queue before it lets others go first.
const SHARE: Duration = Duration::from_secs(2);

/// Makes recommendations for everybody who watched something since theirs were made. Safe twice: a batch and how far it
/// goes are one transaction under the lease, and whoever was dealt with is not stale any more.
#[derive(Debug, Serialize, Deserialize)]
pub struct Recommend {}

impl Job for Recommend {
    const KIND: &'static str = "recommend";
    const QUEUE: &'static str = "default";
    /// After everything that somebody waits for.
    const PRIORITY: i16 = 60;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "10 */30 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let mut after: Option<UserId> = match &cx.checkpoint {
            Some(saved) => serde_json::from_value(saved["after"].clone())?,
            None => None,
        };
        let started = Instant::now();
        loop {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            let people = recommend::stale_after(&mut tx, after, BATCH).await?;
            let Some(last) = people.last() else {
                return Ok(Done::Completed);
            };
            after = Some(*last);
            recommend::refresh(&mut tx, &MODEL, &people).await?;
            cx.save_checkpoint(&mut tx, json!({ "after": after })).await?;
            cx.advance(&mut tx).await?;
            tx.commit().await?;
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two batches".into()));
            }
            if started.elapsed() > SHARE {
                return Ok(Done::Snooze(Duration::ZERO));
            }
        }
    }
}
