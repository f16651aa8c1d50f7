//! One run of a test.

use serde_json::Value;

use crate::{JobId, JobRow, State};

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    pub id: JobId,
    pub kind: String,
    /// Which run of the job it was.
    pub run_no: i32,
    /// Which attempt it was, itself included; `job.attempt` is what counts after it.
    pub attempt: u32,
    /// Where the job is now: completed, cancelled, discarded or quarantined; retryable when it failed and is tried again;
    /// scheduled when it asked for more time; running when somebody else has it.
    pub state: State,
    /// What it returned.
    pub result: Option<Value>,
    /// What went wrong with this run, or why the job ended unhappily.
    pub error: Option<String>,
    /// The stable word for it.
    pub code: Option<String>,
    /// The job as it is now.
    pub job: JobRow,
}

impl Ran {
    pub(super) fn new(run_no: i32, attempt: u32, job: JobRow) -> Self {
        let entry = job
            .errors
            .as_array()
            .and_then(|errors| errors.last())
            .filter(|entry| entry["run_no"] == run_no);
        let text = |name: &str| {
            let text = entry.and_then(|entry| entry[name].as_str());
            text.map(str::to_owned)
        };
        Self {
            id: job.id,
            kind: job.kind.clone(),
            run_no,
            attempt,
            state: job.state,
            result: job.result.clone(),
            error: text("error").or_else(|| job.reason.clone()),
            code: job.code.clone().or_else(|| text("code")),
            job,
        }
    }
}
