//! One seed of one row: load, faults, healing, and the checker's verdict.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_bus::Notifier;
use rand::{SeedableRng as _, rngs::StdRng};
use serde::{Deserialize, Serialize};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::Instant;
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{
    check::{Terms, Violation, check, recoveries},
    cluster::Cluster,
    course::{Course, SESSIONS},
    evidence::Evidence,
    fleet::Fleet,
    mistake::Mistake,
    process::{Process, Programs},
    proxy::Proxy,
    record::{Audit, Fact, WATCH},
    row::Row,
    stall::{watch_clock, watch_database},
};

/// The lease in trials; the heartbeat is half a second.
pub(crate) const LEASE: Duration = Duration::from_secs(3);
/// What is to be tried.
pub struct Trial<'a> {
    pub cluster: &'a Cluster,
    pub programs: &'a Programs,
    pub row: &'a Row,
    pub seed: u64,
    pub mistake: Option<&'a Mistake>,
    /// How much of the row's jobs and faults, in percent.
    pub percent: u64,
    /// Added to the time within which crashes are recovered from, for machines that have others to serve too.
    pub slack: Duration,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub row: String,
    pub seed: u64,
    /// How often each fault was done.
    pub faults: BTreeMap<String, usize>,
    pub jobs: usize,
    pub runs: usize,
    pub violations: Vec<Violation>,
    /// From a kill to the next claim of a job it had interrupted, in milliseconds, sorted.
    pub recoveries_ms: Vec<u64>,
    /// The most crashes that were charged to a job that was done in the end: the price of bad neighbours.
    #[serde(default)]
    pub worst_charge: i32,
    pub seconds: u64,
    /// Where audits and logs are, when something was found.
    pub kept: Option<PathBuf>,
}

impl Trial<'_> {
    /// Runs it.
    ///
    /// # Errors
    /// What kept the harness itself from working. What is wrong with the engine is in the report.
    pub async fn run(&self) -> Result<Report> {
        let started = Instant::now();
        let name = format!("t_{}_{}", self.row.name, Uuid::now_v7().simple());
        let database = self.cluster.database(&name).await?;
        let mut conn = database.connect().await?;
        self.prepare(&mut conn).await?;
        let folder = tempfile::Builder::new().prefix("mf-audit.").tempdir()?;
        let stop = CancellationToken::new();
        let _stopper = stop.clone().drop_guard();
        let audit = Audit::open(folder.path(), "driver", 0)?;
        let watch = Arc::new(Audit::open(folder.path(), WATCH, 0)?);
        let _watches = [
            AbortOnDropHandle::new(tokio::spawn(watch_clock(watch.clone()))),
            AbortOnDropHandle::new(tokio::spawn(watch_database(watch, database.clone()))),
        ];
        let held = match self.row.held_snapshot {
            true => Some(hold_snapshot(&database).await?),
            false => None,
        };
        let fleet = self.hire(&name, folder.path()).await?;
        let enqueuer_wire = Proxy::open(self.cluster.socket()).await?;
        let enqueuer = self.enqueue(&name, folder.path(), enqueuer_wire.port)?;
        let mut course = Course {
            trial: self,
            fleet,
            enqueuer,
            enqueuer_wire,
            notifier: Notifier::start(database.clone(), stop),
            database,
            conn: Some(conn),
            audit,
            random: StdRng::seed_from_u64(self.seed),
            undo: Vec::new(),
            done: BTreeMap::new(),
            died: 0,
            ballast: None,
        };
        course.suffer().await?;
        drop(held);
        let mut complaints = course.heal().await?;
        let holdings = course.census().await?;
        course.fleet.dismiss().await?;
        complaints.append(&mut course.fleet.complaints);
        let mut conn = course.database.connect().await?;
        let evidence = Evidence::gather(&mut conn, folder.path(), holdings).await?;
        conn.close().await?;
        let terms = Terms {
            lease: LEASE,
            recover_within: LEASE
                + Duration::from_millis(500)
                + Duration::from_secs(2)
                + self.slack,
            sessions: SESSIONS,
        };
        let mut violations = check(&evidence, terms);
        violations.extend(complaints.into_iter().map(|what| Violation {
            invariant: "exit".to_owned(),
            job: None,
            what,
        }));
        let mut recoveries_ms: Vec<u64> = recoveries(&evidence, terms)
            .into_iter()
            .map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
            .collect();
        recoveries_ms.sort_unstable();
        if course.died > 0 {
            course.done.insert("Died".to_owned(), course.died);
        }
        let keep = !violations.is_empty() && self.mistake.is_none();
        self.cluster.drop_database(&name).await?;
        let finished = evidence.finished.iter();
        let done = finished.filter(|row| row.state == "completed");
        Ok(Report {
            row: self.row.name.to_owned(),
            seed: self.seed,
            faults: course.done,
            jobs: evidence.finished.len() + evidence.live.len(),
            runs: evidence
                .records
                .iter()
                .filter(|record| matches!(record.fact, Fact::Started { .. }))
                .count(),
            violations,
            recoveries_ms,
            worst_charge: done.map(|row| row.crash_count).max().unwrap_or(0),
            seconds: started.elapsed().as_secs(),
            kept: keep.then(|| folder.keep()),
        })
    }

    /// The mistake and the chances of errors.
    async fn prepare(&self, conn: &mut PgConnection) -> Result<()> {
        if let Some(mistake) = self.mistake {
            mistake.plant(conn).await?;
        }
        for (code, chance) in self.row.errors {
            sqlx::query("insert into faults.chance values ($1, $2)")
                .bind(code)
                .bind(chance)
                .execute(&mut *conn)
                .await?;
        }
        Ok(())
    }

    async fn hire(&self, database: &str, folder: &Path) -> Result<Fleet> {
        let mut arguments = vec![
            format!("--database={database}"),
            format!("--lease-ms={}", LEASE.as_millis()),
            "--beat-ms=500".to_owned(),
        ];
        if self.row.deaf {
            arguments.push("--deaf".to_owned());
        }
        if let Some(name) = self.mistake.and_then(Mistake::for_workers) {
            arguments.push(format!("--mutant={name}"));
        }
        Fleet::start(
            self.row,
            self.programs,
            folder,
            self.cluster.socket(),
            arguments,
        )
        .await
    }

    fn enqueue(&self, database: &str, folder: &Path, port: u16) -> Result<Process> {
        let row = self.row;
        let mix = clap::ValueEnum::to_possible_value(&row.mix).context("a hidden mix")?;
        let mut arguments = vec![
            "--name=enqueuer".to_owned(),
            format!("--port={port}"),
            format!("--database={database}"),
            format!("--audit={}", folder.display()),
            format!("--seed={}", self.seed),
            format!("--mix={}", mix.get_name()),
            format!("--jobs={}", (row.jobs * self.percent / 100).max(1)),
            format!("--clients={}", row.clients),
            format!("--pause-ms={}", row.pause),
        ];
        if row.deaf {
            arguments.push("--silent".to_owned());
        }
        let log = folder.join("enqueuer.log");
        Process::start(&self.programs.enqueuer, &arguments, &[], &log)
    }

    pub(crate) fn times(&self) -> usize {
        let percent = usize::try_from(self.percent).unwrap_or(100);
        (self.row.times * percent).div_ceil(100)
    }
}

/// A session that keeps its snapshot as long as it lives.
async fn hold_snapshot(database: &PgConnectOptions) -> Result<PgConnection> {
    let mut conn = database.connect().await?;
    sqlx::raw_sql("begin isolation level repeatable read; select count(*) from queue.job")
        .execute(&mut conn)
        .await?;
    Ok(conn)
}
