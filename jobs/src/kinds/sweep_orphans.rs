//! sweep_orphans: objects that no row names leave the store.

use std::time::Duration;

use millrace_domain::sweeps::Sweep;
use millrace_queue::{Done, Failure, Outcome, Schedule, Wake};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{Job, JobContext, orphans};

/// How long it holds its place in the queue before it lets others go first.
const SHARE: Duration = Duration::from_secs(60);

/// Looks through the store for objects that no row names, and deletes those that are old enough.
/// Safe twice: how far it is stands in its row, and what is deleted again is gone already.
#[derive(Debug, Serialize, Deserialize)]
pub struct SweepOrphans {
    /// Only counts.
    #[serde(default)]
    pub dry_run: bool,
    /// Younger objects are left alone.
    #[serde(default = "a_day")]
    pub older_than_s: u64,
}

fn a_day() -> u64 {
    24 * 60 * 60
}

impl Job for SweepOrphans {
    const KIND: &'static str = "sweep_orphans";
    const QUEUE: &'static str = "default";
    /// After everything that somebody waits for.
    const PRIORITY: i16 = 50;

    fn schedule() -> Option<Schedule> {
        // Once a day, when most of Asia sleeps.
        let daily = Self { dry_run: false, older_than_s: a_day() };
        Some(Schedule::new(Self::KIND, "0 40 3 * * *", &daily).zone("Asia/Taipei"))
    }

    async fn run(self, cx: &JobContext) -> Outcome {
        let older_than = Duration::from_secs(self.older_than_s);
        let mut conn = cx.db().acquire().await?;
        let mut sweep = Sweep::begin(&mut conn, cx.id.0, self.dry_run, older_than).await?;
        drop(conn);
        let started = Instant::now();
        while orphans::step(cx.db(), cx.storage(), &mut sweep).await? {
            let mut tx = millrace_bus::begin(cx.db()).await?;
            cx.fence(&mut tx).await?;
            sweep.save(&mut *tx).await?;
            tx.commit().await?;
            if cx.cancelled().is_cancelled() {
                return Err(Failure::Retry("stopped between two pages".into()));
            }
            if started.elapsed() > SHARE {
                return Ok(Done::Snooze(Duration::ZERO));
            }
        }
        tracing::info!(
            dry_run = sweep.dry_run, seen = sweep.seen.objects, orphans = sweep.orphans.objects,
            bytes = sweep.orphans.bytes, doomed = sweep.doomed, "swept the store"
        );
        let result = serde_json::to_value(&sweep)?;
        cx.complete_with(cx.db(), Some(result), async |tx| {
            sweep.save(&mut *tx).await?;
            sweep.finish(&mut *tx).await.map(|()| Wake::none())
        })
        .await
    }
}
