//! Which jobs a command is about: some by their ids, or all of a filter, by a job.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{ArgGroup, Args};
use millrace_jobs::operate::start_bulk;
use millrace_queue::{
    Bulk, BulkAction, BulkCount, BulkResult, JobFilter, JobId, JobRow, State, explain, find,
    is_known_kind, is_known_queue,
};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{left_to_the_poll, print_json};

/// How long `--wait` waits.
const WAIT: Duration = Duration::from_secs(3600);
/// The options that say which jobs are meant, when no ids do.
pub(super) const FILTERS: [&str; 8] = [
    "state", "kind", "queue", "tag", "owner", "group", "code", "error",
];
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Jobs by their ids, or all of a filter.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true)
    .arg("ids").args(FILTERS))]
pub(in crate::cli) struct Which {
    /// Jobs by their ids.
    #[arg(conflicts_with_all = FILTERS, conflicts_with_all = ["dry_run", "wait", "reason"])]
    pub(super) ids: Vec<String>,
    /// All jobs in these states, such as retryable,discarded; several conditions hold together.
    #[arg(long, value_delimiter = ',')]
    state: Vec<State>,
    /// All jobs of this kind.
    #[arg(long)]
    kind: Option<String>,
    /// All jobs of this queue.
    #[arg(long)]
    queue: Option<String>,
    /// All jobs with this tag.
    #[arg(long)]
    tag: Option<String>,
    /// All jobs of this user.
    #[arg(long)]
    owner: Option<Uuid>,
    /// All jobs of this group.
    #[arg(long)]
    group: Option<Uuid>,
    /// All jobs that failed with this code.
    #[arg(long)]
    code: Option<String>,
    /// All jobs whose error says this.
    #[arg(long)]
    error: Option<String>,
    /// Only say how many jobs of the filter there are.
    #[arg(long)]
    dry_run: bool,
    /// Wait until all jobs of the filter have had their turn.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Why, for others: cancelled and discarded jobs carry it.
    #[arg(long)]
    reason: Option<String>,
    /// One JSON document per line.
    #[arg(long)]
    pub(super) json: bool,
}

impl Which {
    /// Starts a job that acts on all jobs of the filter, or only counts them.
    pub(super) async fn all(self, db: &mut PgConnection, action: BulkAction) -> anyhow::Result<()> {
        let (json, dry_run, wait) = (self.json, self.dry_run, self.wait);
        let bulk = Bulk {
            action,
            by: Some("the command line".to_owned()),
            reason: self.reason.clone(),
            filter: self.filter(),
        };
        check(db, &bulk).await?;
        let BulkCount { count, capped } = bulk.count(db).await?;
        if dry_run {
            if json {
                print_json(&json!({ "count": count, "capped": capped }));
            } else {
                let more = if capped { "more than " } else { "" };
                println!("{more}{count} jobs would be {}.", done(action));
            }
            return Ok(());
        }
        let mut tx = db.begin().await?;
        let enqueued = start_bulk(&mut tx, &bulk).await?;
        tx.commit().await?;
        left_to_the_poll(enqueued.wake);
        if json {
            print_json(&json!({ "job_id": enqueued.id, "count": count, "capped": capped }));
        } else {
            println!("{}", enqueued.id);
        }
        if wait {
            await_end(db, enqueued.id, action, json).await?;
        }
        Ok(())
    }

    fn filter(self) -> JobFilter {
        JobFilter {
            states: self.state,
            kind: self.kind,
            queue: self.queue,
            owner: self.owner,
            group: self.group,
            tag: self.tag,
            code: self.code,
            error: self.error,
            ..JobFilter::default()
        }
    }
}

/// A slip of the pen is no empty filter, but nearly as useless.
async fn check(db: &mut PgConnection, bulk: &Bulk) -> anyhow::Result<()> {
    let filter = &bulk.filter;
    if let Some(kind) = &filter.kind
        && !is_known_kind(&mut *db, kind).await?
    {
        bail!("no worker has registered the kind {kind}");
    }
    if let Some(queue) = &filter.queue
        && !is_known_queue(&mut *db, queue).await?
    {
        bail!("there is no queue {queue}");
    }
    Ok(())
}

fn done(action: BulkAction) -> &'static str {
    match action {
        BulkAction::Retry => "retried",
        BulkAction::Cancel => "cancelled",
        BulkAction::Discard => "discarded",
    }
}

async fn await_end(
    db: &mut PgConnection,
    id: JobId,
    action: BulkAction,
    json: bool,
) -> anyhow::Result<()> {
    let row = ended(db, id).await?;
    let result = row.result.clone().map(serde_json::from_value::<BulkResult>);
    match result.transpose()? {
        Some(BulkResult { changed, skipped }) if row.state == State::Completed => {
            if json {
                print_json(&json!({ "job_id": id, "changed": changed, "skipped": skipped }));
            } else {
                println!(
                    "{changed} jobs were {}, {skipped} left as they are.",
                    done(action)
                );
            }
            Ok(())
        }
        _ => bail!(
            "{id} ended {}: {}",
            row.state,
            row.reason.unwrap_or_default()
        ),
    }
}

async fn ended(db: &mut PgConnection, id: JobId) -> anyhow::Result<JobRow> {
    let began = Instant::now();
    // Somebody else has to do something before it can begin.
    let stuck = |code: &str| matches!(code, "no_worker" | "queue_paused" | "kind_paused");
    for reason in explain(&mut *db, id).await? {
        if stuck(&reason.code) {
            eprintln!("{}", reason.detail);
        }
    }
    while began.elapsed() < WAIT {
        let row = find(db, id).await?.context("the job is gone")?;
        if row.state.is_terminal() {
            return Ok(row);
        }
        sleep(LOOK_EVERY).await;
    }
    bail!("{id} has not ended within an hour; it goes on")
}
