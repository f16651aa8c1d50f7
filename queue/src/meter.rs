//! What is counted of jobs, by queue and kind. The table in the README says what each name means.
//!
//! Labels are bounded: kinds and queues come from registries, never from rows alone, and what is known to none is `other`.

use std::{collections::HashMap, sync::Arc};

use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, histogram,
};

use crate::{NewJob, State};

/// The label of what no registry knows.
pub(crate) const OTHER: &str = "other";

/// How a run can end, as `outcome` says it.
const OUTCOMES: [&str; 8] = [
    "completed",
    "cancelled",
    "discarded",
    "quarantined",
    "retryable",
    "scheduled",
    "available",
    LEASE_LOST,
];
/// The outcome of a run whose job passed to somebody else.
pub(crate) const LEASE_LOST: &str = "lease_lost";

/// The counters of one kind in one queue, looked up once: a lookup costs more than all that is done with it.
pub(crate) struct Meter {
    pub(crate) started: Counter,
    /// Seconds from the moment a job was due to its claim, by the database's clock.
    pub(crate) wait: Histogram,
    pub(crate) run: Histogram,
    pub(crate) refused: Counter,
    ended: [Counter; OUTCOMES.len()],
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Meter")
    }
}

impl Meter {
    fn new(queue: &str, kind: &str) -> Self {
        let labels = [("queue", queue.to_owned()), ("kind", kind.to_owned())];
        Self {
            started: counter!("queue_runs_started_total", &labels),
            wait: histogram!("queue_wait_seconds", &labels),
            run: histogram!("queue_run_seconds", &labels),
            refused: counter!("queue_answers_refused_total", &labels),
            ended: OUTCOMES.map(|outcome| {
                let [queue, kind] = labels.clone();
                counter!(
                    "queue_runs_ended_total",
                    &[queue, kind, ("outcome", outcome.to_owned())]
                )
            }),
        }
    }

    /// Counts a run that ended with `outcome`, one of [`OUTCOMES`].
    pub(crate) fn ended(&self, outcome: &str) {
        let known = OUTCOMES.iter().position(|&known| known == outcome);
        if let Some(counter) = known.and_then(|at| self.ended.get(at)) {
            counter.increment(1);
        }
    }
}

/// The meters of a worker. Only the kinds and queues that it serves come here, so they are few.
#[derive(Debug, Default)]
pub(crate) struct Meters(HashMap<String, HashMap<String, Arc<Meter>>>);

impl Meters {
    /// That of a job, made at the first one of its kind in its queue.
    pub(crate) fn of(&mut self, queue: &str, kind: &str) -> Arc<Meter> {
        let known = self.0.get(queue).and_then(|kinds| kinds.get(kind));
        if let Some(meter) = known {
            return meter.clone();
        }
        let meter = Arc::new(Meter::new(queue, kind));
        let kinds = self.0.entry(queue.to_owned()).or_default();
        kinds.insert(kind.to_owned(), meter.clone());
        meter
    }
}

/// Says what the names mean to recorders that tell.
pub(crate) fn describe() {
    describe_counter!("queue_jobs_enqueued_total", "jobs inserted by this process");
    describe_counter!("queue_runs_started_total", "runs begun");
    describe_counter!(
        "queue_runs_ended_total",
        "runs ended, by what became of the job"
    );
    describe_histogram!("queue_wait_seconds", "from due to claimed");
    describe_histogram!("queue_run_seconds", "from the start of a run to its end");
    describe_counter!(
        "queue_jobs_rescued_total",
        "jobs taken back from workers that stopped without an answer"
    );
    describe_counter!(
        "queue_answers_refused_total",
        "answers that came too late or twice"
    );
    describe_counter!("queue_schedule_fired_total", "jobs enqueued by a schedule");
    describe_gauge!("queue_jobs", "live jobs by state");
    describe_gauge!(
        "queue_oldest_due_seconds",
        "how long the oldest job that could run has been due"
    );
}

/// Counts jobs that were inserted, whether or not the caller's transaction commits.
pub(crate) fn enqueued(jobs: &[NewJob]) {
    let same = |a: &NewJob, b: &NewJob| a.kind == b.kind && a.queue_label() == b.queue_label();
    for alike in jobs.chunk_by(same) {
        if let [first, ..] = alike {
            counter!("queue_jobs_enqueued_total", "queue" => first.queue_label(), "kind" => first.kind_label())
                .increment(alike.len() as u64);
        }
    }
}

/// Counts a job that was taken back from a worker that stopped without an answer.
pub(crate) fn rescued(queue: &str, kind: &str, state: State) {
    let labels = [
        ("queue", queue.to_owned()),
        ("kind", kind.to_owned()),
        ("state", state.as_str().to_owned()),
    ];
    counter!("queue_jobs_rescued_total", &labels).increment(1);
}
