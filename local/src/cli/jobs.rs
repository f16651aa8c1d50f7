//! `jobs`: look at jobs and act on them.

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use millrace_bus::Notifier;
use millrace_config::Config;
use millrace_queue::{CancelState, JobId, Wake};
use sqlx::{Connection as _, PgConnection};

use super::{connect, id_of};

/// What to do with jobs.
#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// List jobs that have not ended, and with --ended those that have, newest first.
    List {
        /// Only this state, such as running or discarded.
        #[arg(long)]
        state: Option<String>,
        #[arg(long)]
        kind: Option<String>,
        #[arg(long)]
        ended: bool,
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Show everything about one job.
    Show { id: String },
    /// Run a job again that has ended unhappily, or now one that waits for its time.
    Retry { id: String },
    /// Cancel a job; a running one is asked to stop.
    Cancel { id: String },
}

/// Runs a job command.
pub(super) async fn run(config: &Config, jobs: Jobs) -> anyhow::Result<()> {
    let mut db = connect(config).await?;
    match jobs {
        Jobs::List {
            state,
            kind,
            ended,
            limit,
        } => list(&mut db, state, kind, ended, limit).await,
        Jobs::Show { id } => show(&mut db, &id).await,
        Jobs::Retry { id } => {
            let mut tx = db.begin().await?;
            let steered = millrace_queue::retry(&mut tx, JobId(id_of(&id)?)).await?;
            tx.commit().await?;
            if !steered.done {
                bail!("{id} cannot be retried: it does not exist, is running, or completed");
            }
            left_to_the_poll(steered.wake);
            println!("{id} runs again.");
            Ok(())
        }
        Jobs::Cancel { id } => {
            let mut tx = db.begin().await?;
            let answer = millrace_queue::request_cancel(
                &mut tx,
                JobId(id_of(&id)?),
                "cancelled by an operator",
            )
            .await?;
            tx.commit().await?;
            match answer.state {
                CancelState::NotLive => bail!("{id} is not a live job"),
                CancelState::Cancelled => println!("{id} is cancelled."),
                CancelState::Requested => {
                    println!("{id} is running; its worker has been asked to stop it.");
                }
            }
            left_to_the_poll(answer.wake);
            Ok(())
        }
    }
}

/// A command ends sooner than a notification would be sent: workers find the change by their poll, within a second.
fn left_to_the_poll(wake: Wake) {
    wake.fire(&Notifier::silent());
}

#[derive(sqlx::FromRow)]
struct Line {
    id: JobId,
    kind: String,
    queue: String,
    state: millrace_queue::State,
    attempt: i32,
    max_attempts: i32,
    at: DateTime<Utc>,
    reason: Option<String>,
}

async fn list(
    db: &mut PgConnection,
    state: Option<String>,
    kind: Option<String>,
    ended: bool,
    limit: i64,
) -> anyhow::Result<()> {
    let live = "select id, kind, queue, state, attempt, max_attempts, created_at as at, null::text as reason
                  from queue.job where ($1::text is null or state::text = $1) and ($2::text is null or kind = $2)
                 order by id desc limit $3";
    let history = "select id, kind, queue, state, attempt, max_attempts, finished_at as at, reason
                     from queue.history where ($1::text is null or state::text = $1) and ($2::text is null or kind = $2)
                    order by finished_at desc limit $3";
    let lines: Vec<Line> = sqlx::query_as(if ended { history } else { live })
        .bind(state)
        .bind(kind)
        .bind(limit)
        .fetch_all(db)
        .await?;
    if lines.is_empty() {
        println!("No jobs.");
    }
    for line in lines {
        let Line {
            id,
            kind,
            queue,
            state,
            attempt,
            max_attempts,
            at,
            reason,
        } = line;
        let state = state.as_str();
        let at = at.format("%Y-%m-%d %H:%M:%S");
        println!(
            "{id}  {state:<11} {kind:<18} {queue:<8} {attempt}/{max_attempts}  {at}  {}",
            reason.unwrap_or_default()
        );
    }
    Ok(())
}

async fn show(db: &mut PgConnection, id: &str) -> anyhow::Result<()> {
    let Some(job) = millrace_queue::find(db, JobId(id_of(id)?)).await? else {
        bail!("there is no job {id}")
    };
    println!("id        {}", job.id);
    println!("kind      {} on {}", job.kind, job.queue);
    println!("state     {}", job.state);
    println!(
        "attempts  {} of {} ({} runs, {} crashes)",
        job.attempt, job.max_attempts, job.run_no, job.crash_count
    );
    println!("created   {}", job.created_at);
    println!("run at    {}", job.run_at);
    if let Some(at) = job.finished_at {
        println!("ended     {at}");
    }
    if let Some(reason) = job.reason.or(job.cancel_reason) {
        println!("because   {reason}");
    }
    println!("arguments {}", serde_json::to_string_pretty(&job.args)?);
    if job
        .errors
        .as_array()
        .is_some_and(|errors| !errors.is_empty())
    {
        println!("errors    {}", serde_json::to_string_pretty(&job.errors)?);
    }
    if let Some(result) = job.result {
        println!("result    {}", serde_json::to_string_pretty(&result)?);
    }
    Ok(())
}
