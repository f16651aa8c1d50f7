//! `jobs`: look at jobs and act on them.

/// Retry, cancel, discard.
mod act;
/// Pauses and limits.
mod control;
/// New jobs from JSON.
mod enqueue;
/// How long finished jobs are kept.
mod keep;
/// Lists and single jobs.
mod look;
/// What comes round by the clock.
mod schedules;
/// Jobs by their ids, or all of a filter.
mod which;

use anyhow::bail;
use clap::Subcommand;
use millrace_bus::Notifier;
use millrace_config::Config;
use millrace_queue::{Wake, is_known_kind, is_known_queue};
use serde_json::Value;
use sqlx::PgConnection;

use super::{connect, id_of};

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// List jobs, the newest first: all that have not ended, or those of --state.
    List(look::List),
    /// Show everything about one job.
    Show {
        id: String,
        #[arg(long)]
        json: bool,
    },
    /// Say why a job is not running.
    Explain {
        id: String,
        #[arg(long)]
        json: bool,
    },
    /// Print what a job's runs have written.
    Log {
        id: String,
        #[arg(long)]
        json: bool,
    },
    /// Run jobs again that have ended unhappily, or now those that wait for their time. By a filter, those that were put
    /// off or cancelled only where --state says scheduled or cancelled.
    Retry(which::Which),
    /// Cancel jobs; running ones are asked to stop, and dropped after --grace.
    Cancel(act::Cancel),
    /// End jobs by force, without waiting for their workers.
    Discard(which::Which),
    /// Enqueue a job of a kind that some worker knows, or many from --lines.
    Enqueue(enqueue::Enqueue),
    /// Start nothing more of a queue, or of a kind.
    Pause(control::Pause),
    /// Start jobs of a queue or a kind again.
    Resume(control::Resume),
    /// How many jobs of a queue or a kind may run at the same time, over all workers.
    Limit(control::Limit),
    /// Queues: what is due, what runs, how many places there are.
    Queues {
        #[arg(long)]
        json: bool,
    },
    /// How many days the finished jobs of a queue are kept.
    Keep(keep::Keep),
    /// Schedules: list (without a word more), change, switch on and off, run now.
    Schedules {
        #[command(subcommand)]
        what: Option<schedules::Schedules>,
    },
    /// Drop finished jobs whose time has come, and other housekeeping that workers do every hour.
    Prune,
}

/// Runs a job command.
pub(super) async fn run(config: &Config, jobs: Jobs) -> anyhow::Result<()> {
    let mut db = connect(config).await?;
    match jobs {
        Jobs::List(list) => list.run(&mut db).await,
        Jobs::Show { id, json } => look::show(&mut db, &id, json).await,
        Jobs::Explain { id, json } => look::explain(&mut db, &id, json).await,
        Jobs::Log { id, json } => look::log(&mut db, &id, json).await,
        Jobs::Retry(which) => act::retry(&mut db, which).await,
        Jobs::Cancel(cancel) => cancel.run(&mut db).await,
        Jobs::Discard(which) => act::discard(&mut db, which).await,
        Jobs::Enqueue(enqueue) => enqueue.run(&mut db).await,
        Jobs::Pause(pause) => pause.run(&mut db).await,
        Jobs::Resume(resume) => resume.run(&mut db).await,
        Jobs::Limit(limit) => limit.run(&mut db).await,
        Jobs::Keep(keep) => keep.run(&mut db).await,
        Jobs::Queues { json } => control::queues(&mut db, json).await,
        Jobs::Schedules { what } => what.unwrap_or_default().run(&mut db).await,
        Jobs::Prune => {
            millrace_queue::maintain(&mut db).await?;
            println!("Done.");
            Ok(())
        }
    }
}

/// Refuses the name of a queue or a kind that nobody knows: a slip of the pen would match nothing, for ever.
async fn known(
    db: &mut PgConnection,
    queue: Option<&str>,
    kind: Option<&str>,
) -> anyhow::Result<()> {
    if let Some(queue) = queue
        && !is_known_queue(&mut *db, queue).await?
    {
        bail!("there is no queue {queue}");
    }
    if let Some(kind) = kind
        && !is_known_kind(&mut *db, kind).await?
    {
        bail!("no worker has registered the kind {kind}");
    }
    Ok(())
}

/// A command ends sooner than a notification would be sent: workers find the change by their poll, within a second.
fn left_to_the_poll(wake: Wake) {
    wake.fire(&Notifier::silent());
}

/// One JSON document per line.
fn print_json(value: &Value) {
    println!("{value}");
}
