//! What is done to single jobs, and new ones.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use millrace_queue::{CancelState, JobId};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::{id_of, left_to_the_poll, print_json};

const BY: &str = "cancelled by an operator";

pub(super) async fn retry(db: &mut PgConnection, id: &str) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let steered = millrace_queue::retry(&mut tx, JobId(id_of(id)?)).await?;
    tx.commit().await?;
    if !steered.done {
        bail!("{id} cannot be retried: it does not exist, is running, or completed");
    }
    left_to_the_poll(steered.wake);
    println!("{id} runs again.");
    Ok(())
}

pub(super) async fn cancel(
    db: &mut PgConnection,
    id: &str,
    grace: Option<u64>,
) -> anyhow::Result<()> {
    let job = JobId(id_of(id)?);
    let mut tx = db.begin().await?;
    let answer = match grace.map(Duration::from_secs) {
        Some(grace) => millrace_queue::request_cancel_within(&mut tx, job, BY, grace).await?,
        None => millrace_queue::request_cancel(&mut tx, job, BY).await?,
    };
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

pub(super) async fn discard(db: &mut PgConnection, id: &str) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    let steered =
        millrace_queue::discard(&mut tx, JobId(id_of(id)?), "discarded by an operator").await?;
    tx.commit().await?;
    if !steered.done {
        bail!("{id} is not a live job");
    }
    left_to_the_poll(steered.wake);
    println!("{id} is discarded.");
    Ok(())
}

/// A job from JSON.
#[derive(Debug, Args)]
pub(in crate::cli) struct Enqueue {
    /// A kind that some worker has registered.
    kind: String,
    /// Its arguments, a JSON object.
    #[arg(default_value = "{}")]
    args: String,
    /// Options, a JSON object: queue, priority, run_at, delay_ms, max_attempts, timeout_ms, owner, limit_key, unique_key,
    /// unique_mode, tags, meta, after and others.
    #[arg(long, default_value = "{}")]
    options: String,
    #[arg(long)]
    json: bool,
}

impl Enqueue {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let args = object("the arguments", &self.args)?;
        millrace_queue::check_args(&args)
            .map_err(|why| anyhow::anyhow!("the arguments cannot be stored: {why}"))?;
        let mut options = object("the options", &self.options)?;
        if let Some(options) = options.as_object_mut() {
            // A single job: its NOTIFY keeps nobody waiting.
            options.entry("wake").or_insert(json!(true));
        }
        let id: Uuid = sqlx::query_scalar("select queue.enqueue($1, $2, $3)")
            .bind(&self.kind)
            .bind(args)
            .bind(options)
            .fetch_one(db)
            .await
            .map_err(said)?;
        if self.json {
            print_json(&json!({ "id": id }));
        } else {
            println!("{id}");
        }
        Ok(())
    }
}

fn object(what: &str, text: &str) -> anyhow::Result<Value> {
    let value: Value =
        serde_json::from_str(text).with_context(|| format!("{what} cannot be read as JSON"))?;
    anyhow::ensure!(value.is_object(), "{what} must be a JSON object");
    Ok(value)
}

/// The database's own sentence, where it refused what it was given.
fn said(error: sqlx::Error) -> anyhow::Error {
    match error.as_database_error() {
        Some(refusal) if refusal.code().is_some_and(|code| code.starts_with("22")) => {
            anyhow::anyhow!("{}", refusal.message())
        }
        _ => error.into(),
    }
}
