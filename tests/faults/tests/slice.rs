//! The slice of the fault matrix that belongs to every run of the tests: a seed or two of the rows, and all mutants.

use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use millrace_faults::{
    cluster::Cluster,
    mistake::{MISTAKES, Mistake},
    process::Programs,
    row::{ROWS, Row, row},
    trial::{Report, Trial},
};
use tokio::sync::Mutex;

/// One test at a time: each fills the machine.
static TURN: Mutex<()> = Mutex::const_new(());
/// Trials side by side. They wait more than they work.
const BESIDE: usize = 3;
/// Other programs run on the machine of a test, and a crash may take so much longer to recover from.
const SLACK: Duration = Duration::from_secs(20);

fn programs() -> Programs {
    Programs {
        worker: env!("CARGO_BIN_EXE_fault_worker").into(),
        enqueuer: env!("CARGO_BIN_EXE_fault_enqueuer").into(),
    }
}

async fn try_it(
    cluster: &Cluster,
    row: &Row,
    seed: u64,
    percent: u64,
    mistake: Option<&Mistake>,
) -> Result<Report> {
    let trial = Trial {
        cluster,
        programs: &programs(),
        row,
        seed,
        mistake,
        percent,
        slack: SLACK,
    };
    trial
        .run()
        .await
        .with_context(|| format!("seed {seed} of {}", row.name))
}

/// What was found, as a text to fail with. Empty when all is well.
fn found(report: &Report) -> String {
    let lines: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "seed {} of {} (kept in {:?}):\n  {}\n",
        report.seed,
        report.row,
        report.kept,
        lines.join("\n  ")
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_every_row_breaks_nothing() -> Result<()> {
    let _turn = TURN.lock().await;
    let cluster = Cluster::start(None).await?;
    let rows = ROWS
        .iter()
        .filter(|row| !row.needs_own_cluster() && row.lacks().is_none());
    let reports: Vec<Report> = stream::iter(rows)
        .map(|row| try_it(&cluster, row, 1, 15, None))
        .buffer_unordered(BESIDE)
        .try_collect()
        .await?;
    let wrong: String = reports.iter().map(found).collect();
    assert!(wrong.is_empty(), "{wrong}");
    let runs: usize = reports.iter().map(|report| report.runs).sum();
    let faults: usize = reports
        .iter()
        .flat_map(|report| report.faults.values())
        .sum();
    assert!(runs > 500, "only {runs} runs");
    assert!(faults > 20, "only {faults} faults");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_and_crashes_of_the_database_break_nothing() -> Result<()> {
    let _turn = TURN.lock().await;
    for name in ["crash_db", "storm"] {
        let cluster = Cluster::start(None).await?;
        let row = row(name).context("no such row")?;
        let report = try_it(&cluster, row, 1, 50, None).await?;
        let wrong = found(&report);
        assert!(wrong.is_empty(), "{wrong}");
        assert!(!report.faults.is_empty(), "nothing was done to {name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_caught() -> Result<()> {
    let _turn = TURN.lock().await;
    let cluster = Cluster::start(None).await?;
    let escaped: Vec<Option<&str>> = stream::iter(MISTAKES)
        .map(|mistake| catch(&cluster, mistake))
        .buffer_unordered(BESIDE)
        .try_collect()
        .await?;
    let escaped: Vec<&str> = escaped.into_iter().flatten().collect();
    assert!(escaped.is_empty(), "not caught: {escaped:?}");
    assert!(MISTAKES.len() >= 12);
    Ok(())
}

/// The name of the mutant, if no seed of its row shows it.
async fn catch(cluster: &Cluster, mistake: &Mistake) -> Result<Option<&'static str>> {
    let row = row(mistake.row).context("a mutant without a row")?;
    for seed in 1..=4 {
        let report = try_it(cluster, row, seed, mistake.percent(), Some(mistake)).await?;
        if !report.violations.is_empty() {
            return Ok(None);
        }
    }
    Ok(Some(mistake.name))
}
