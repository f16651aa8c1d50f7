//! Pauses and limits.

use anyhow::bail;
use clap::{ArgGroup, Args};
use millrace_queue::Switched;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{known, left_to_the_poll, print_json};

/// A queue or a kind.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["queue", "kind"]))]
struct What {
    /// Of this queue.
    #[arg(long)]
    queue: Option<String>,
    /// Of this kind.
    #[arg(long)]
    kind: Option<String>,
}

impl What {
    fn text(&self) -> String {
        match (&self.queue, &self.kind) {
            (Some(queue), _) => format!("queue {queue}"),
            (_, kind) => format!("kind {}", kind.as_deref().unwrap_or_default()),
        }
    }

    /// That somebody knows it: a name that nobody knows is a slip of the pen, and a pause would wait for it for ever.
    async fn known(&self, db: &mut PgConnection) -> anyhow::Result<()> {
        known(db, self.queue.as_deref(), self.kind.as_deref()).await
    }

    fn check(&self, switched: Switched) -> anyhow::Result<()> {
        if !switched.done {
            bail!("no worker has registered the {}", self.text());
        }
        left_to_the_poll(switched.wake);
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Pause {
    #[command(flatten)]
    what: What,
    /// Why, for others.
    #[arg(long)]
    note: Option<String>,
}

impl Pause {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let note = self.note.as_deref();
        let what = &self.what;
        what.known(db).await?;
        match (&what.queue, &what.kind) {
            (Some(queue), _) => {
                millrace_queue::pause_queue(db, queue, "the command line", note).await?;
            }
            (_, kind) => {
                let kind = kind.as_deref().unwrap_or_default();
                what.check(millrace_queue::pause_kind(db, kind, "the command line", note).await?)?;
            }
        }
        println!("The {} is paused; running jobs go on.", what.text());
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    what: What,
}

impl Resume {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let what = &self.what;
        what.known(db).await?;
        let switched = match (&what.queue, &what.kind) {
            (Some(queue), _) => millrace_queue::resume_queue(db, queue).await?,
            (_, kind) => {
                millrace_queue::resume_kind(db, kind.as_deref().unwrap_or_default()).await?
            }
        };
        what.check(switched)?;
        println!("The {} goes on.", what.text());
        Ok(())
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("how_many").required(true).args(["max", "none"]))]
pub(in crate::cli) struct Limit {
    #[command(flatten)]
    what: What,
    /// So many.
    #[arg(long)]
    max: Option<u32>,
    /// Any number.
    #[arg(long)]
    none: bool,
    /// With --queue: the owners of its jobs take turns.
    #[arg(long, requires = "queue")]
    fair: bool,
}

impl Limit {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let what = &self.what;
        what.known(db).await?;
        let mut tx = db.begin().await?;
        let switched = match (&what.queue, &what.kind) {
            (Some(queue), _) => {
                millrace_queue::limit_queue(&mut tx, queue, self.max, self.fair).await?
            }
            (_, kind) => {
                let kind = kind.as_deref().unwrap_or_default();
                millrace_queue::limit_kind(&mut tx, kind, self.max).await?
            }
        };
        tx.commit().await?;
        what.check(switched)?;
        match self.max {
            Some(max) => println!("At most {max} jobs of the {} run at once.", what.text()),
            None => println!("The {} has no limit.", what.text()),
        }
        Ok(())
    }
}

pub(super) async fn queues(db: &mut PgConnection, json: bool) -> anyhow::Result<()> {
    let rows: Vec<(String, i64, f64, i64, i64, bool)> = sqlx::query_as(
        "select queue, backlog, oldest_due_seconds, running, slots, paused from queue.autoscale order by queue",
    )
    .fetch_all(db)
    .await?;
    if !json {
        println!(
            "{:<16} {:>8} {:>12} {:>8} {:>6}",
            "queue", "due", "oldest due", "running", "slots"
        );
    }
    for (queue, backlog, oldest, running, slots, paused) in rows {
        if json {
            print_json(&json!({
                "queue": queue, "backlog": backlog, "oldest_due_seconds": oldest, "running": running, "slots": slots,
                "paused": paused,
            }));
        } else {
            let paused = if paused { "  paused" } else { "" };
            println!("{queue:<16} {backlog:>8} {oldest:>10.1} s {running:>8} {slots:>6}{paused}");
        }
    }
    Ok(())
}
