//! Progress of videos: gathered from all jobs of the process, written in one batch four times a second at most.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millrace_bus::Notifier;
use millrace_domain::{
    ids::VideoId,
    videos::{PartProgress, record_progress, topic_of_user, topic_of_video},
};
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// People cannot follow more, and the database need not.
const EVERY: Duration = Duration::from_millis(250);

type Part = (VideoId, i32, String);

/// Takes reports from encoders; clones share it.
#[derive(Clone)]
pub(crate) struct ProgressWriter {
    latest: Arc<Latest>,
}

#[derive(Default)]
struct Latest {
    reports: Mutex<HashMap<Part, PartProgress>>,
    bell: Notify,
}

impl ProgressWriter {
    pub(crate) fn start(db: PgPool, notifier: Notifier, shutdown: CancellationToken) -> Self {
        let latest = Arc::new(Latest::default());
        tokio::spawn(write(latest.clone(), db, notifier, shutdown));
        Self { latest }
    }

    /// Replaces the part's last report. Never waits.
    pub(crate) fn report(&self, report: PartProgress) {
        let part = (report.video, report.generation, report.part.clone());
        self.latest
            .reports
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(part, report);
        self.latest.bell.notify_one();
    }
}

async fn write(latest: Arc<Latest>, db: PgPool, notifier: Notifier, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = latest.bell.notified() => {}
            () = shutdown.cancelled() => return,
        }
        let reports: Vec<PartProgress> = {
            let mut map = latest
                .reports
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            map.drain().map(|(_, report)| report).collect()
        };
        if let Err(error) = save(&db, &notifier, &reports).await {
            // The next report says more than this one did.
            tracing::warn!(%error, "could not write progress");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn save(
    db: &PgPool,
    notifier: &Notifier,
    reports: &[PartProgress],
) -> Result<(), sqlx::Error> {
    if reports.is_empty() {
        return Ok(());
    }
    let mut tx = millrace_bus::begin(db).await?;
    let rose = record_progress(&mut tx, reports).await?;
    tx.commit().await?;
    let topics = rose
        .into_iter()
        .flat_map(|(video, owner)| [topic_of_video(video), topic_of_user(owner)]);
    millrace_bus::touch(topics).fire(notifier);
    Ok(())
}
