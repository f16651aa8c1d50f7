//! New jobs from JSON: one, or a line each.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow, bail};
use clap::{ArgGroup, Args};
use millrace_queue::{EnqueuedEach, JobId, JobSpec, NewJob, enqueue_each, jobs_of};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, BufReader, Lines};

use super::{left_to_the_poll, print_json};

/// Lines of one transaction.
const BATCH: usize = 1_000;

/// A job from JSON, or many.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["kind", "lines"]))]
pub(in crate::cli) struct Enqueue {
    /// A kind that some worker has registered.
    kind: Option<String>,
    /// Its arguments, a JSON object.
    #[arg(default_value = "{}")]
    args: String,
    /// Options, a JSON object: queue, priority, run_at, delay_ms, max_attempts, timeout_ms, owner, limit_key, unique_key,
    /// unique_mode, tags, meta, after and others.
    #[arg(long, default_value = "{}")]
    options: String,
    /// Many jobs: a file with one {"kind": ..., "args": ..., "options": ...} per line; - is standard input. Lines that cannot
    /// be enqueued are left out and named.
    #[arg(long, conflicts_with = "options")]
    lines: Option<PathBuf>,
    #[arg(long)]
    json: bool,
}

impl Enqueue {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        match (&self.lines, &self.kind) {
            (Some(path), _) if path.as_os_str() == "-" => {
                from_lines(db, BufReader::new(tokio::io::stdin()), self.json).await
            }
            (Some(path), _) => {
                let file = tokio::fs::File::open(path)
                    .await
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                from_lines(db, BufReader::new(file), self.json).await
            }
            (None, kind) => self.one(db, kind.as_deref().unwrap_or_default()).await,
        }
    }

    async fn one(&self, db: &mut PgConnection, kind: &str) -> anyhow::Result<()> {
        let spec = json!({
            "kind": kind,
            "args": object("the arguments", &self.args)?,
            "options": object("the options", &self.options)?,
        });
        let spec: JobSpec = serde_json::from_value(spec).context("the options are not right")?;
        let mut batch = vec![Line {
            number: 1,
            job: Ok(spec),
        }];
        for line in put(db, &mut batch).await? {
            let id = line.job?;
            if self.json {
                print_json(&json!({ "id": id }));
            } else {
                println!("{id}");
            }
        }
        Ok(())
    }
}

/// A line of the input, and what came of it.
struct Line<T> {
    number: usize,
    job: anyhow::Result<T>,
}

/// Enqueues what can be enqueued, batch by batch as it comes in; names the rest on standard error.
async fn from_lines(
    db: &mut PgConnection,
    input: impl AsyncBufRead + Unpin,
    json: bool,
) -> anyhow::Result<()> {
    let mut lines = input.lines();
    let (mut number, mut all, mut bad) = (0, 0, 0);
    loop {
        let mut batch = read(&mut lines, &mut number).await?;
        if batch.is_empty() {
            break;
        }
        let first = batch[0].number;
        let put = put(db, &mut batch).await.with_context(|| {
            format!("lines {first} to {number} could not be enqueued, nor were those after them")
        })?;
        for Line { number, job } in put {
            all += 1;
            match job {
                Ok(id) if json => print_json(&json!({ "line": number, "id": id })),
                Ok(id) => println!("{id}"),
                Err(error) => {
                    bad += 1;
                    eprintln!("line {number}: {error:#}");
                }
            }
        }
    }
    if bad > 0 {
        bail!("{bad} of {all} jobs were left out");
    }
    Ok(())
}

/// The next lines; empty ones do not count as jobs.
async fn read<R: AsyncBufRead + Unpin>(
    lines: &mut Lines<R>,
    number: &mut usize,
) -> anyhow::Result<Vec<Line<JobSpec>>> {
    let mut batch = Vec::new();
    while batch.len() < BATCH
        && let Some(line) = lines
            .next_line()
            .await
            .context("the lines cannot be read")?
    {
        *number += 1;
        if line.trim().is_empty() {
            continue;
        }
        let job = serde_json::from_str(&line).map_err(|error| anyhow!("it is not right: {error}"));
        batch.push(Line {
            number: *number,
            job,
        });
    }
    Ok(batch)
}

/// Enqueues a batch in one transaction. What it makes of each line comes in the order of the lines.
async fn put(
    db: &mut PgConnection,
    batch: &mut Vec<Line<JobSpec>>,
) -> anyhow::Result<Vec<Line<JobId>>> {
    let mut answers: Vec<Line<JobId>> = Vec::with_capacity(batch.len());
    let (mut numbers, mut specs) = (Vec::new(), Vec::new());
    for Line { number, job } in batch.drain(..) {
        match job {
            Ok(spec) => {
                numbers.push(number);
                specs.push(spec);
            }
            Err(error) => answers.push(Line {
                number,
                job: Err(error),
            }),
        }
    }
    let mut jobs: Vec<NewJob> = Vec::with_capacity(specs.len());
    let mut known: Vec<usize> = Vec::with_capacity(specs.len());
    for (number, job) in numbers.into_iter().zip(jobs_of(db, specs).await?) {
        match job {
            Ok(job) => {
                known.push(number);
                jobs.push(job);
            }
            Err(error) => answers.push(Line {
                number,
                job: Err(error.into()),
            }),
        }
    }
    let mut tx = db.begin().await?;
    let EnqueuedEach { rows, wake } = enqueue_each(&mut tx, jobs).await?;
    tx.commit().await?;
    left_to_the_poll(wake);
    for (number, row) in known.into_iter().zip(rows) {
        let job = row.map(|placed| placed.id).map_err(Into::into);
        answers.push(Line { number, job });
    }
    answers.sort_unstable_by_key(|line| line.number);
    Ok(answers)
}

fn object(what: &str, text: &str) -> anyhow::Result<Value> {
    let value: Value =
        serde_json::from_str(text).with_context(|| format!("{what} cannot be read as JSON"))?;
    anyhow::ensure!(value.is_object(), "{what} must be a JSON object");
    Ok(value)
}
