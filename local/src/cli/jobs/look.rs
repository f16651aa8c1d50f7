//! Lists of jobs, and single ones.

use anyhow::bail;
use clap::Args;
use millrace_queue::{JobFilter, JobId, JobRow, JobSummary, LogLine, State};
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{id_of, known, print_json};

/// Which jobs.
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only these states, such as running or discarded.
    #[arg(long, value_delimiter = ',')]
    state: Vec<State>,
    #[arg(long)]
    kind: Option<String>,
    #[arg(long)]
    queue: Option<String>,
    #[arg(long)]
    owner: Option<Uuid>,
    #[arg(long)]
    group: Option<Uuid>,
    #[arg(long)]
    tag: Option<String>,
    /// Those that have ended, too.
    #[arg(long)]
    ended: bool,
    /// Those that were enqueued before this job: the next page.
    #[arg(long)]
    before: Option<String>,
    #[arg(long, default_value_t = 50)]
    limit: i64,
    /// One JSON document per line.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, db: &mut PgConnection) -> anyhow::Result<()> {
        let mut states = self.state;
        let asked = !states.is_empty();
        if states.is_empty() {
            let shown = |state: &State| self.ended || !state.is_terminal();
            states = State::ALL.into_iter().filter(shown).collect();
        }
        let filter = JobFilter {
            states,
            kind: self.kind,
            queue: self.queue,
            owner: self.owner,
            group: self.group,
            tag: self.tag,
            ..JobFilter::default()
        };
        let before = self.before.map(|id| id_of(&id)).transpose()?.map(JobId);
        let found = millrace_queue::jobs(db, &filter, before, self.limit.clamp(1, 10_000)).await?;
        if self.json {
            for job in &found {
                print_json(&summary(job));
            }
            return Ok(());
        }
        if found.is_empty() {
            let (queue, kind) = (filter.queue.as_deref(), filter.kind.as_deref());
            known(db, queue, kind).await?;
            match self.ended || asked {
                true => println!("No jobs."),
                false => println!("No job is live. --ended lists those that have ended, too."),
            }
        }
        for job in found {
            println!(
                "{}  {:<11} {:<18} {:<8} {}/{}  {}  {}",
                job.id,
                job.state.as_str(),
                job.kind,
                job.queue,
                job.attempt,
                job.max_attempts,
                job.finished_at
                    .unwrap_or(job.created_at)
                    .format("%Y-%m-%d %H:%M:%S"),
                job.reason.unwrap_or_default()
            );
        }
        Ok(())
    }
}

fn summary(job: &JobSummary) -> Value {
    json!({
        "id": job.id, "kind": job.kind, "queue": job.queue, "state": job.state, "priority": job.priority,
        "attempt": job.attempt, "max_attempts": job.max_attempts, "crash_count": job.crash_count, "run_at": job.run_at,
        "created_at": job.created_at, "started_at": job.started_at, "finished_at": job.finished_at,
        "worker_id": job.worker_id, "owner": job.owner, "group_id": job.group_id, "tags": job.tags, "code": job.code,
        "reason": job.reason,
    })
}

/// The job, or one line that there is none.
async fn find(db: &mut PgConnection, id: &str) -> anyhow::Result<JobRow> {
    match millrace_queue::find(db, JobId(id_of(id)?)).await? {
        Some(job) => Ok(job),
        None => bail!("there is no job {id}"),
    }
}

pub(super) async fn show(db: &mut PgConnection, id: &str, json: bool) -> anyhow::Result<()> {
    let job = find(db, id).await?;
    if json {
        print_json(&json!({
            "id": job.id, "kind": job.kind, "queue": job.queue, "state": job.state, "priority": job.priority,
            "attempt": job.attempt, "max_attempts": job.max_attempts, "crash_count": job.crash_count,
            "max_crashes": job.max_crashes, "run_no": job.run_no, "run_at": job.run_at, "created_at": job.created_at,
            "started_at": job.started_at, "finished_at": job.finished_at, "worker_id": job.worker_id,
            "owner": job.owner, "group_id": job.group_id, "limit_key": job.limit_key, "tags": job.tags,
            "timeout_ms": job.timeout_ms, "trace_id": job.trace_id(), "args": job.args, "meta": job.meta,
            "checkpoint": job.checkpoint, "result": job.result, "errors": job.errors,
            "cancel_requested_at": job.cancel_requested_at, "cancel_reason": job.cancel_reason,
            "code": job.code, "reason": job.reason,
        }));
        return Ok(());
    }
    println!("id        {}", job.id);
    println!("kind      {} on {}", job.kind, job.queue);
    println!("state     {}", job.state);
    println!(
        "attempts  {} of {} ({} runs, {} crashes)",
        job.attempt, job.max_attempts, job.run_no, job.crash_count
    );
    println!("created   {}", job.created_at);
    println!("run at    {}", job.run_at);
    if let Some(at) = job.finished_at {
        println!("ended     {at}");
    }
    if let Some(reason) = job.reason.or(job.cancel_reason) {
        println!("because   {reason}");
    }
    println!("arguments {}", serde_json::to_string_pretty(&job.args)?);
    let failed = job.errors.as_array().is_some_and(|all| !all.is_empty());
    for (name, value) in [
        ("errors   ", failed.then_some(job.errors)),
        ("checkpoint", job.checkpoint),
        ("result   ", job.result),
    ] {
        if let Some(value) = value {
            println!("{name} {}", serde_json::to_string_pretty(&value)?);
        }
    }
    Ok(())
}

pub(super) async fn explain(db: &mut PgConnection, id: &str, json: bool) -> anyhow::Result<()> {
    let reasons = millrace_queue::explain(&mut *db, JobId(id_of(id)?)).await?;
    if reasons.is_empty() {
        bail!("there is no job {id}");
    }
    for reason in reasons {
        if json {
            print_json(
                &json!({ "code": reason.code, "detail": reason.detail, "params": reason.params }),
            );
        } else {
            println!("{:<13} {}", reason.code, reason.detail);
        }
    }
    Ok(())
}

pub(super) async fn log(db: &mut PgConnection, id: &str, json: bool) -> anyhow::Result<()> {
    const PAGE: i64 = 1_000;
    let job = find(db, id).await?.id;
    let mut after = (0, 0);
    loop {
        let lines = LogLine::of_job(&mut *db, job, after, PAGE).await?;
        for line in &lines {
            let LogLine {
                run_no,
                n,
                at,
                line,
            } = line;
            if json {
                print_json(&json!({ "run_no": run_no, "n": n, "at": at, "line": line }));
            } else {
                println!(
                    "{}  run {run_no}  {line}",
                    at.format("%Y-%m-%d %H:%M:%S%.3f")
                );
            }
        }
        match lines.last() {
            Some(last) => after = (last.run_no, last.n),
            None => return Ok(()),
        }
    }
}
