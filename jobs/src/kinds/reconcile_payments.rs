//! reconcile_payments: what was told and did not arrive.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_domain::payments::{self, Provider, Source, cursor, event};
use millrace_queue::{Done, Failure, Outcome, Schedule};
use serde::{Deserialize, Serialize};

use crate::{Job, JobContext, flows, payments::provider_failure};

/// Orders and events that are younger are waited for.
const STUCK: Duration = Duration::from_secs(15 * 60);
/// Of each, in one run.
const BATCH: i64 = 200;
/// Providers list events by their own clock and not always in order, so every reading overlaps the one before.
const OVERLAP: TimeDelta = TimeDelta::minutes(10);
/// How far a first reading goes back.
const FIRST: TimeDelta = TimeDelta::hours(1);

/// Looks after what was lost on the way: orders that have been pending for long, events that nobody worked off, and
/// events that the provider lists and that never reached us.
/// Safe twice: an event is stored once, and looking at an order changes nothing that is known.
#[derive(Debug, Serialize, Deserialize)]
pub struct ReconcilePayments {}

impl Job for ReconcilePayments {
    const KIND: &'static str = "reconcile_payments";
    const QUEUE: &'static str = "default";
    const PRIORITY: i16 = 20;
    /// The next comes soon.
    const MAX_ATTEMPTS: u16 = 3;

    fn schedule() -> Option<Schedule> {
        Some(Schedule::new(Self::KIND, "10 */5 * * * *", &Self {}))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        // Without a way there, nobody can be asked.
        let Some(provider) = &cx.services().payments else {
            return Ok(Done::Completed);
        };
        for id in payments::stuck(cx.db(), STUCK, BATCH).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            let wake = flows::look_at_payment(&mut tx, id).await?;
            tx.commit().await?;
            wake.fire(cx.notifier());
        }
        for id in event::open(cx.db(), STUCK, BATCH).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            let wake = flows::work_off_event(&mut tx, id).await?;
            tx.commit().await?;
            wake.fire(cx.notifier());
        }
        catch_up(cx, provider.as_ref()).await?;
        Ok(Done::Completed)
    }
}

/// Takes the events that the provider lists since the last reading.
async fn catch_up(cx: &JobContext, provider: &dyn Provider) -> Result<(), Failure> {
    let begun = Utc::now();
    let since = cursor::read_until(cx.db(), provider.name())
        .await?
        .map_or(begun - FIRST, |until: DateTime<Utc>| until - OVERLAP);
    let mut lost = 0_u64;
    for delivery in provider.events(since).await.map_err(provider_failure)? {
        let mut tx = millrace_bus::begin(cx.db()).await?;
        let wake = flows::receive_event(&mut tx, provider.name(), &delivery, Source::Fetched).await?;
        tx.commit().await?;
        if let Some(wake) = wake {
            lost += 1;
            wake.fire(cx.notifier());
        }
    }
    if lost > 0 {
        metrics::counter!("millrace_payment_events_fetched_total").increment(lost);
        tracing::warn!(provider = provider.name(), events = lost, "the provider lists events that did not reach us");
    }
    // Only now: what was not stored is read again.
    cursor::advance(cx.db(), provider.name(), begun).await?;
    Ok(())
}
