//! Results: a line of JSON per trial, by which a run is resumed, and a line of a table per row.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::trial::Report;

/// The file of finished trials.
pub struct Results {
    path: PathBuf,
    seen: HashSet<(String, u64)>,
    reports: Vec<Report>,
}

impl Results {
    /// Reads what is finished. Trials with a violation count as finished too: they are repeated by their seed.
    ///
    /// # Errors
    /// That the file is not one of ours.
    pub fn open(path: &Path) -> Result<Self> {
        let mut seen = HashSet::new();
        let mut reports = Vec::new();
        if path.exists() {
            for line in std::fs::read_to_string(path)?.lines() {
                let report: Report =
                    serde_json::from_str(line).with_context(|| path.display().to_string())?;
                seen.insert((report.row.clone(), report.seed));
                reports.push(report);
            }
        }
        Ok(Self {
            path: path.to_owned(),
            seen,
            reports,
        })
    }

    /// Whether this trial is finished.
    pub fn has(&self, row: &str, seed: u64) -> bool {
        self.seen.contains(&(row.to_owned(), seed))
    }

    /// Appends a trial.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn add(&mut self, report: &Report) -> Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut line = serde_json::to_string(report)?;
        line.push('\n');
        append(&self.path)?.write_all(line.as_bytes())?;
        self.seen.insert((report.row.clone(), report.seed));
        self.reports.push(report.clone());
        Ok(())
    }

    /// All finished trials, those of earlier runs included.
    pub fn all(&self) -> &[Report] {
        &self.reports
    }
}

/// Appends a line per row to the table, for the trials of one run. Nothing for no trials.
///
/// # Errors
/// Those of the file system.
pub fn append_table(path: &Path, date: &str, reports: &[Report]) -> Result<()> {
    let mut rows: BTreeMap<&str, Vec<&Report>> = BTreeMap::new();
    for report in reports {
        rows.entry(&report.row).or_default().push(report);
    }
    let mut file = append(path)?;
    for (row, reports) in rows {
        file.write_all(line(date, row, &reports).as_bytes())?;
    }
    Ok(())
}

fn line(date: &str, row: &str, reports: &[&Report]) -> String {
    let sum =
        |count: fn(&Report) -> usize| reports.iter().map(|report| count(report)).sum::<usize>();
    let broken = |invariant: &str| {
        let of = |report: &&Report| {
            let broken = report.violations.iter();
            broken.filter(|v| v.invariant == invariant).count()
        };
        reports.iter().map(of).sum::<usize>()
    };
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (fault, times) in reports.iter().flat_map(|report| &report.faults) {
        *kinds.entry(fault).or_default() += times;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(fault, n)| format!("{n} {fault}"))
        .collect();
    let mut waits: Vec<u64> = reports
        .iter()
        .flat_map(|report| report.recoveries_ms.iter().copied())
        .collect();
    waits.sort_unstable();
    format!(
        "| {date} | {row} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
        reports.len(),
        kinds.join(", "),
        sum(|report| report.jobs),
        sum(|report| report.runs),
        broken("I1"),
        broken("I3"),
        sum(|report| report.violations.len()),
        percentile(&waits, 50),
        percentile(&waits, 99),
    )
}

/// The nearest rank, or a dash.
fn percentile(sorted: &[u64], percent: usize) -> String {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted
        .get(rank.saturating_sub(1))
        .map_or_else(|| "-".to_owned(), u64::to_string)
}

fn append(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), "50");
        assert_eq!(percentile(&hundred, 99), "99");
        assert_eq!(percentile(&[7], 99), "7");
        assert_eq!(percentile(&[], 50), "-");
    }

    #[test]
    fn a_finished_trial_is_not_run_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results.jsonl");
        let report = Report {
            row: "kill".to_owned(),
            seed: 3,
            faults: BTreeMap::from([("Kill".to_owned(), 40)]),
            jobs: 10,
            runs: 12,
            violations: Vec::new(),
            recoveries_ms: vec![3_400],
            worst_charge: 1,
            seconds: 9,
            kept: None,
        };
        Results::open(&path)
            .expect("opened")
            .add(&report)
            .expect("added");
        let again = Results::open(&path).expect("opened");
        assert!(again.has("kill", 3));
        assert!(!again.has("kill", 4));
        assert_eq!(
            line("today", "kill", &[&report]),
            "| today | kill | 1 | 40 Kill | 10 | 12 | 0 | 0 | 0 | 3400 | 3400 |\n"
        );
    }
}
