//! How long finished jobs are kept.

use anyhow::bail;
use clap::Args;
use millrace_queue::{keep, retentions};
use serde_json::json;
use sqlx::PgConnection;

use super::{known, print_json};

/// What all queues without a number of their own go by.
const USUAL: &str = "*";

/// A queue, and how long.
#[derive(Debug, Args)]
pub(in crate::cli) struct Keep {
    /// A queue, or '*' for all that have no number of their own. Without it, all numbers that are set are shown.
    queue: Option<String>,
    /// Days; what has ended already keeps the day on which it goes. Without it, the number is shown.
    days: Option<u16>,
    /// Take the number away: the queue goes by '*' again, and '*' by what workers say.
    #[arg(long, requires = "queue", conflicts_with = "days")]
    usual: bool,
    /// One JSON document per line.
    #[arg(long)]
    json: bool,
}

impl Keep {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let Some(queue) = &self.queue else {
            for set in retentions(db).await? {
                self.show(&set.queue, set.days, true);
            }
            return Ok(());
        };
        if queue != USUAL {
            known(db, Some(queue), None).await?;
        }
        if self.days.is_some() || self.usual {
            keep(db, queue, self.days).await?;
        }
        let set = retentions(db).await?;
        let own = set.iter().find(|set| set.queue == *queue);
        let Some(holds) = own.or_else(|| set.iter().find(|set| set.queue == USUAL)) else {
            bail!("no worker has said yet how long jobs are kept");
        };
        self.show(queue, holds.days, own.is_some());
        Ok(())
    }

    fn show(&self, queue: &str, days: i32, own: bool) {
        if self.json {
            print_json(&json!({ "queue": queue, "days": days, "own": own }));
        } else {
            let as_usual = if own { "" } else { ", as usual" };
            println!("{queue}: {days} days{as_usual}");
        }
    }
}
