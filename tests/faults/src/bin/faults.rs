//! The whole fault matrix and all mutants, resumable by seed: `make faults`.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, Result};
use clap::Parser;
use millrace_faults::{
    cluster::Cluster,
    disk::Disk,
    mistake::{MISTAKES, Mistake},
    process::Programs,
    results::{Results, append_table},
    row::{ROWS, Row, row},
    trial::{Report, Trial},
};

/// Violations of one invariant that are shown of a trial.
const SHOWN: usize = 6;

/// Runs trials and appends what came of them.
#[derive(Debug, Parser)]
struct Options {
    /// How many seeds of each row.
    #[arg(long, default_value_t = 5)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// This seed alone, finished or not, and no table.
    #[arg(long)]
    seed: Option<u64>,
    /// These rows or mutants alone, by name; `mutants` and `rows` stand for all of them.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How much of each row's jobs and faults.
    #[arg(long, default_value_t = 100)]
    percent: u64,
    /// The file of finished trials.
    #[arg(long, default_value = "target/faults/results.jsonl")]
    results: PathBuf,
    /// The table to append to.
    #[arg(long)]
    table: Option<PathBuf>,
    /// Put all finished trials of the file into the table, not only those of this run.
    #[arg(long)]
    all: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let options = Options::parse();
    for name in &options.only {
        let known = row(name).is_some()
            || MISTAKES.iter().any(|mistake| mistake.name == name)
            || ["rows", "mutants"].contains(&name.as_str());
        anyhow::ensure!(known, "there is no row and no mutant called {name}");
    }
    let programs = Programs::beside_me()?;
    let mut failed = rows(&options, &programs).await?;
    failed |= mutants(&options, &programs).await?;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl Options {
    fn wants(&self, name: &str, all: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name || only == all)
    }

    fn seeds(&self) -> std::ops::Range<u64> {
        match self.seed {
            Some(seed) => seed..seed + 1,
            None => self.from..self.from + self.seeds,
        }
    }
}

/// Runs the rows. Whether something was found.
async fn rows(options: &Options, programs: &Programs) -> Result<bool> {
    let mut results = Results::open(&options.results)?;
    let mut reports = Vec::new();
    let mut failed = false;
    let mut shared: Option<Cluster> = None;
    for row in ROWS.iter().filter(|row| options.wants(row.name, "rows")) {
        for seed in options.seeds() {
            if options.seed.is_none() && results.has(row.name, seed) {
                continue;
            }
            let disk = match row.needs_own_disk() {
                true => Some(Disk::mount()?),
                false => None,
            };
            if matches!(disk, Some(None)) {
                say(&format!("{}: skipped, only root mounts disks", row.name));
                break;
            }
            let disk = disk.flatten();
            if let Some(what) = row.lacks() {
                say(&format!("{}: skipped, {what} is not installed", row.name));
                break;
            }
            let own = match row.needs_own_cluster() {
                true => Some(Cluster::start(disk.as_ref().map(Disk::path)).await?),
                false => None,
            };
            if own.is_none() && shared.is_none() {
                shared = Some(Cluster::start(None).await?);
            }
            let cluster = own.as_ref().or(shared.as_ref()).context("just made")?;
            let report = try_it(options, programs, cluster, row, seed, None).await?;
            say(&summary(&report));
            failed |= !report.violations.is_empty();
            if options.seed.is_none() {
                results.add(&report)?;
            }
            reports.push(report);
        }
    }
    if let (Some(table), None) = (&options.table, options.seed) {
        let date = chrono::Utc::now().format("%Y-%m-%d").to_string();
        let of_all = results.all();
        append_table(table, &date, if options.all { of_all } else { &reports })?;
    }
    Ok(failed)
}

/// Runs the mutants. Whether one of them got away.
async fn mutants(options: &Options, programs: &Programs) -> Result<bool> {
    let wanted: Vec<&Mistake> = MISTAKES
        .iter()
        .filter(|mistake| options.wants(mistake.name, "mutants"))
        .collect();
    if wanted.is_empty() {
        return Ok(false);
    }
    let cluster = Cluster::start(None).await?;
    let mut caught = 0;
    for mistake in &wanted {
        let row = row(mistake.row).context("a mutant without a row")?;
        for seed in options.seeds() {
            let report = try_it(options, programs, &cluster, row, seed, Some(mistake)).await?;
            if let Some(violation) = report.violations.first() {
                let (n, seconds) = (report.violations.len(), report.seconds);
                caught += 1;
                say(&format!(
                    "mutant {}: caught with seed {seed} of {} in {seconds} s, {n} violations: {violation}",
                    mistake.name, row.name
                ));
                break;
            }
            say(&format!(
                "mutant {}: seed {seed} did not show it",
                mistake.name
            ));
        }
    }
    say(&format!("{caught} of {} mutants were caught", wanted.len()));
    Ok(caught < wanted.len())
}

async fn try_it(
    options: &Options,
    programs: &Programs,
    cluster: &Cluster,
    row: &Row,
    seed: u64,
    mistake: Option<&Mistake>,
) -> Result<Report> {
    let trial = Trial {
        cluster,
        programs,
        row,
        seed,
        mistake,
        percent: mistake.map_or(options.percent, Mistake::percent),
        slack: Duration::ZERO,
    };
    trial
        .run()
        .await
        .with_context(|| format!("seed {seed} of {}", row.name))
}

fn summary(report: &Report) -> String {
    let mut text = format!(
        "{} seed {}: {} jobs, {} runs, {:?}, at most {} crashes a job, {} s: {} violations",
        report.row,
        report.seed,
        report.jobs,
        report.runs,
        report.faults,
        report.worst_charge,
        report.seconds,
        report.violations.len()
    );
    let mut shown: BTreeMap<&str, usize> = BTreeMap::new();
    for violation in &report.violations {
        let shown = shown.entry(&violation.invariant).or_default();
        *shown += 1;
        if *shown <= SHOWN {
            text.push_str(&format!("\n  {violation}"));
        }
    }
    for (invariant, n) in shown.into_iter().filter(|(_, n)| *n > SHOWN) {
        text.push_str(&format!("\n  {invariant}: {} more", n - SHOWN));
    }
    if let Some(kept) = &report.kept {
        text.push_str(&format!("\n  audits and logs: {}", kept.display()));
    }
    text
}

#[expect(clippy::print_stdout, reason = "a program speaks to its user")]
fn say(text: &str) {
    println!("{text}");
}
