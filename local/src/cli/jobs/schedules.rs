//! What comes round by the clock.

use anyhow::Context as _;
use clap::Subcommand;
use millrace_queue::{CatchUp, ScheduleChange};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use super::{left_to_the_poll, print_json};

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Schedules {
    /// List them.
    List {
        #[arg(long)]
        json: bool,
    },
    /// Change a schedule. What is not named stays; the change outlives restarts.
    Set {
        name: String,
        /// Five fields, or six with seconds first.
        #[arg(long)]
        cron: Option<String>,
        /// Such as Asia/Taipei.
        #[arg(long)]
        zone: Option<String>,
        /// A JSON object.
        #[arg(long)]
        args: Option<String>,
        /// What becomes of missed ticks: none, last or all.
        #[arg(long, value_parser = catch_up)]
        catch_up: Option<CatchUp>,
    },
    /// Let it come round again.
    Enable { name: String },
    /// Let it come round no more.
    Disable { name: String },
    /// Enqueue its job now.
    Run { name: String },
}

fn catch_up(word: &str) -> Result<CatchUp, String> {
    [CatchUp::None, CatchUp::Last, CatchUp::All]
        .into_iter()
        .find(|policy| policy.as_str() == word)
        .ok_or_else(|| "it is none, last or all".to_owned())
}

impl Default for Schedules {
    fn default() -> Self {
        Self::List { json: false }
    }
}

impl Schedules {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        match self {
            Self::List { json } => list(db, json).await,
            Self::Set {
                name,
                cron,
                zone,
                args,
                catch_up,
            } => {
                let args = args
                    .map(|text| serde_json::from_str(&text))
                    .transpose()
                    .context("the arguments cannot be read as JSON")?;
                let change = ScheduleChange {
                    cron,
                    zone,
                    args,
                    catch_up,
                    enabled: None,
                };
                set(db, &name, change).await
            }
            Self::Enable { name } => set(db, &name, enabled(true)).await,
            Self::Disable { name } => set(db, &name, enabled(false)).await,
            Self::Run { name } => {
                let mut tx = db.begin().await?;
                let (job, wake) = millrace_queue::run_schedule(&mut tx, &name).await?;
                tx.commit().await?;
                left_to_the_poll(wake);
                println!("{job}");
                Ok(())
            }
        }
    }
}

fn enabled(enabled: bool) -> ScheduleChange {
    ScheduleChange {
        enabled: Some(enabled),
        ..ScheduleChange::default()
    }
}

async fn set(db: &mut PgConnection, name: &str, change: ScheduleChange) -> anyhow::Result<()> {
    let mut tx = db.begin().await?;
    millrace_queue::change_schedule(&mut tx, name, &change).await?;
    tx.commit().await?;
    println!("The schedule {name} is changed.");
    Ok(())
}

async fn list(db: &mut PgConnection, json: bool) -> anyhow::Result<()> {
    for row in millrace_queue::schedules(db).await? {
        if json {
            print_json(&json!({
                "name": row.name, "kind": row.kind, "queue": row.queue, "args": row.args, "cron": row.cron,
                "zone": row.zone, "catch_up": row.catch_up.as_str(), "enabled": row.enabled, "next_at": row.next_at,
                "last_at": row.last_at, "last_job": row.last_job, "changed": row.changed,
            }));
            continue;
        }
        let next = match row.next_at {
            _ if !row.enabled => "disabled".to_owned(),
            Some(at) => at.format("%Y-%m-%d %H:%M:%S").to_string(),
            None => "soon".to_owned(),
        };
        println!(
            "{:<24} {:<16} {:<12} {next:<20} {}",
            row.name, row.cron, row.zone, row.kind
        );
    }
    Ok(())
}
