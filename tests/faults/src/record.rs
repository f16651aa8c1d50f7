//! What processes write down: one JSON line per fact, in a file of each process's own.
//!
//! Files and not rows, because they outlive everything that is done to the processes and the database: a line that was
//! written by one call is in the system's hands, whoever is killed next. All processes share one machine and its clock.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Something that happened in a process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An enqueuer is about to insert this job.
    Intent(Intent),
    /// Its transaction was committed. `holder` is the job itself, or the one that has its unique key.
    Accepted { job: Uuid, holder: Uuid },
    /// A handler begins.
    Started {
        job: Uuid,
        token: Uuid,
        run_no: i32,
        /// Runs with the same word must not overlap.
        serial: Option<String>,
    },
    /// A fenced transaction of a handler is about to be committed. Waiting for the answer to that is not work, and a run is
    /// not torn away from it.
    Committing { job: Uuid, token: Uuid },
    /// A handler is about to answer.
    Ended { job: Uuid, token: Uuid, how: Answer },
    /// A worker serves from now on.
    Up,
    /// A worker has drained.
    Drained { stopped: usize, clean: bool },
    /// The driver did something to the process `to`, or to the database. Its effects may last until `until`.
    Fault {
        to: Option<String>,
        what: String,
        until: i64,
    },
    /// The driver asked a running job to be cancelled.
    CancelAsked { job: Uuid },
    /// The process was late by this much: the machine had no time for it, and if it is the driver, for nobody.
    Stalled { ms: i64 },
}

/// How a handler means to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Done; also said before a commit that completes the job.
    Done,
    /// Not yet.
    Snooze,
    /// Failed.
    Failed,
    /// It was told to stop.
    Stopped,
}

/// How a job must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    Completed,
    Discarded,
    Cancelled,
    Quarantined,
    /// In any of the terminal states.
    Any,
}

/// A job that an enqueuer wants, with what the checker has to know of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub job: Uuid,
    pub kind: String,
    /// Its unique key, held until it ends.
    pub unique: Option<String>,
    /// The key of its row in the ledger.
    pub effect: Option<String>,
    pub parents: Vec<Uuid>,
    /// Whether its unhappy end has to insert another job.
    pub on_failure: bool,
    pub expected: Expected,
}

/// Under this name the driver watches the machine.
pub const WATCH: &str = "watch";

/// A fact, when and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since 1970.
    pub at: i64,
    /// The process.
    pub who: String,
    #[serde(flatten)]
    pub fact: Fact,
}

/// The file of one process.
#[derive(Debug)]
pub struct Audit {
    who: String,
    /// How far the clock of this process is ahead, in microseconds: known to be wrong, it is put right here.
    ahead: i64,
    file: Mutex<File>,
}

impl Audit {
    /// Opens the file of `who` in `folder`. `ahead` is by how much its clock is, in microseconds.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(folder: &Path, who: &str, ahead: i64) -> Result<Self> {
        let path = folder.join(format!("{who}.audit"));
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            who: who.to_owned(),
            ahead,
            file: Mutex::new(file),
        })
    }

    /// Writes a fact down, in one call.
    ///
    /// # Panics
    /// When it cannot be written: whatever is proved without it would be worth nothing.
    pub fn write(&self, fact: Fact) {
        let record = Record {
            at: now() - self.ahead,
            who: self.who.clone(),
            fact,
        };
        let mut line = serde_json::to_string(&record).expect("facts are JSON");
        line.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
            .expect("the audit can be written");
    }
}

/// Microseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}

/// All records of a folder, in the order of time. A last line that was cut off by a kill is left out.
///
/// # Errors
/// That a file cannot be read, or that a whole line is no record.
pub fn read_all(folder: &Path) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|end| end != "audit") {
            continue;
        }
        let mut reader = BufReader::new(File::open(&path)?);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            if line.ends_with('\n') {
                let record = serde_json::from_str(&line)
                    .with_context(|| format!("{}: {line}", path.display()))?;
                records.push(record);
            }
            line.clear();
        }
    }
    records.sort_by_key(|record: &Record| record.at);
    Ok(records)
}
