//! Retry, cancel, discard.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use millrace_queue::{BulkAction, CancelState, JobId, Wake};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{
    id_of, left_to_the_poll, print_json,
    which::{FILTERS, Which},
};

/// What became of a job: the word for programs, and the sentence for people.
type Outcome = (&'static str, &'static str);

pub(super) async fn retry(db: &mut PgConnection, which: Which) -> anyhow::Result<()> {
    act(db, which, BulkAction::Retry, None).await
}

pub(super) async fn discard(db: &mut PgConnection, which: Which) -> anyhow::Result<()> {
    act(db, which, BulkAction::Discard, None).await
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    which: Which,
    /// Seconds that a running job may take to stop; with ids.
    #[arg(long, conflicts_with_all = FILTERS)]
    grace: Option<u64>,
}

impl Cancel {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let grace = self.grace.map(Duration::from_secs);
        act(db, self.which, BulkAction::Cancel, grace).await
    }
}

/// Acts on each of the ids in a transaction of its own, or on the filter by a job.
async fn act(
    db: &mut PgConnection,
    which: Which,
    action: BulkAction,
    grace: Option<Duration>,
) -> anyhow::Result<()> {
    if which.ids.is_empty() {
        return which.all(db, action).await;
    }
    let mut errors = Vec::new();
    for id in &which.ids {
        match one(db, id, action, grace).await {
            Ok((outcome, _)) if which.json => print_json(&json!({ "id": id, "outcome": outcome })),
            Ok((_, said)) => println!("{id} {said}"),
            Err(error) => errors.push(error),
        }
    }
    match (errors.pop(), errors.len()) {
        (None, _) => Ok(()),
        (Some(error), 0) => Err(error),
        (Some(last), others) => {
            for error in errors {
                eprintln!("{error:#}");
            }
            bail!(
                "{last:#}; {} of {} jobs are as they were",
                others + 1,
                which.ids.len()
            )
        }
    }
}

async fn one(
    db: &mut PgConnection,
    id: &str,
    action: BulkAction,
    grace: Option<Duration>,
) -> anyhow::Result<Outcome> {
    let job = JobId(id_of(id)?);
    let mut tx = db.begin().await?;
    let (outcome, wake) = match action {
        BulkAction::Retry => retry_one(&mut tx, job).await?,
        BulkAction::Cancel => cancel_one(&mut tx, job, grace).await?,
        BulkAction::Discard => discard_one(&mut tx, job).await?,
    };
    tx.commit().await?;
    left_to_the_poll(wake);
    Ok(outcome)
}

async fn retry_one(db: &mut PgConnection, job: JobId) -> anyhow::Result<(Outcome, Wake)> {
    let steered = millrace_queue::retry(db, job).await?;
    if !steered.done {
        bail!("{job} cannot be retried: it does not exist, is running, or completed");
    }
    Ok((("done", "runs again."), steered.wake))
}

async fn cancel_one(
    db: &mut PgConnection,
    job: JobId,
    grace: Option<Duration>,
) -> anyhow::Result<(Outcome, Wake)> {
    const BY: &str = "cancelled by an operator";
    let answer = match grace {
        Some(grace) => millrace_queue::request_cancel_within(db, job, BY, grace).await?,
        None => millrace_queue::request_cancel(db, job, BY).await?,
    };
    let outcome = match answer.state {
        CancelState::NotLive => bail!("{job} is not a live job"),
        CancelState::Cancelled => ("done", "is cancelled."),
        CancelState::Requested => {
            let said = "is running; its worker has been asked to stop it.";
            ("requested", said)
        }
    };
    Ok((outcome, answer.wake))
}

async fn discard_one(db: &mut PgConnection, job: JobId) -> anyhow::Result<(Outcome, Wake)> {
    let steered = millrace_queue::discard(db, job, "discarded by an operator").await?;
    if !steered.done {
        bail!("{job} is not a live job");
    }
    Ok((("done", "is discarded."), steered.wake))
}
