//! `jobs`: look at jobs and act on them.

/// Retry, cancel, discard, enqueue.
mod act;
/// Pauses and limits.
mod control;
/// Lists and single jobs.
mod look;
/// What comes round by the clock.
mod schedules;

use clap::Subcommand;
use millrace_bus::Notifier;
use millrace_config::Config;
use millrace_queue::Wake;
use serde_json::Value;

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
    /// Run a job again that has ended unhappily, or now one that waits for its time.
    Retry { id: String },
    /// Cancel a job; a running one is asked to stop, and dropped after --grace.
    Cancel {
        id: String,
        /// Seconds that a running job may take to stop.
        #[arg(long)]
        grace: Option<u64>,
    },
    /// End a job by force, without waiting for its worker.
    Discard { id: String },
    /// Enqueue a job of a kind that some worker knows.
    Enqueue(act::Enqueue),
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
    /// Schedules: list, change, switch on and off, run now.
    #[command(subcommand)]
    Schedules(schedules::Schedules),
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
        Jobs::Retry { id } => act::retry(&mut db, &id).await,
        Jobs::Cancel { id, grace } => act::cancel(&mut db, &id, grace).await,
        Jobs::Discard { id } => act::discard(&mut db, &id).await,
        Jobs::Enqueue(enqueue) => enqueue.run(&mut db).await,
        Jobs::Pause(pause) => pause.run(&mut db).await,
        Jobs::Resume(resume) => resume.run(&mut db).await,
        Jobs::Limit(limit) => limit.run(&mut db).await,
        Jobs::Queues { json } => control::queues(&mut db, json).await,
        Jobs::Schedules(schedules) => schedules.run(&mut db).await,
        Jobs::Prune => {
            millrace_queue::maintain(&mut db).await?;
            println!("Done.");
            Ok(())
        }
    }
}

/// A command ends sooner than a notification would be sent: workers find the change by their poll, within a second.
fn left_to_the_poll(wake: Wake) {
    wake.fire(&Notifier::silent());
}

/// One JSON document per line.
fn print_json(value: &Value) {
    println!("{value}");
}
