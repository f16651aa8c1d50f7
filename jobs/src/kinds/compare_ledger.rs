//! compare_ledger: does the ledger say what the provider says?

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::{
    ids::UserId,
    payments::{Provider, check},
};
use millrace_queue::{Done, Failure, Outcome, Schedule, Wake};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, payments::provider_failure};

/// What moved this lately may still be on its way to us.
const SETTLED: TimeDelta = TimeDelta::hours(1);
/// How far a nightly comparison goes back: beyond the last one, since a difference may have been mended since.
const BACK: TimeDelta = TimeDelta::days(3);

/// Compares the ledger with the provider's list of what moved, and keeps what differs. None is expected.
/// Safe twice: every run makes a report of its own, and changes nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub struct CompareLedger {
    /// From (with); three days ago unless said.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// To (without); an hour ago unless said.
    #[serde(default)]
    pub to: Option<DateTime<Utc>>,
    /// Who wants to know.
    #[serde(default)]
    pub by: Option<UserId>,
}

impl Job for CompareLedger {
    const KIND: &'static str = "compare_ledger";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 30;
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);

    fn schedule() -> Option<Schedule> {
        let nightly = Self {
            from: None,
            to: None,
            by: None,
        };
        Some(Schedule::new(Self::KIND, "0 20 3 * * *", &nightly))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        // Without a way there, nobody can be asked.
        let Some(provider) = &cx.services().payments else {
            return Ok(Done::Completed);
        };
        self.compare(cx, provider.as_ref()).await
    }
}

impl CompareLedger {
    async fn compare(&self, cx: &JobContext, provider: &dyn Provider) -> Outcome {
        let to = self.to.unwrap_or_else(|| Utc::now() - SETTLED);
        let from = self.from.unwrap_or(to - BACK);
        let movements = provider
            .movements(from, to)
            .await
            .map_err(provider_failure)?;
        let mut differences = 0;
        let done = cx
            .complete(cx.db(), async |tx| {
                let id = check::begin(&mut *tx, provider.name(), from, to, self.by).await?;
                differences = check::compare(&mut *tx, id, &movements).await?.len();
                check::finish(tx, id).await?;
                Ok::<_, Failure>(Wake::none())
            })
            .await?;
        metrics::gauge!("millrace_ledger_differences").set(f64::from(u32::try_from(differences).unwrap_or(u32::MAX)));
        if differences > 0 {
            tracing::error!(provider = provider.name(), differences, "the ledger and the provider differ");
        }
        Ok(done)
    }
}
