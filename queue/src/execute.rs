//! Runs one claimed job: on a task of its own, stopped by timeout, request, lost lease or shutdown, with panics
//! contained, and exactly one answer.

use std::{
    error::Error,
    fmt,
    task::{Context, Poll},
    time::Duration,
};

use apalis_core::{error::BoxDynError, task::Task};
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::{
    task::{JoinError, JoinHandle},
    time::{Instant, sleep, timeout},
};
use tower::{Layer, Service};
use tracing::{Instrument as _, Span, info_span};

use crate::{
    CancelReason, Done, Failure, State,
    answer::{Answer, Guard},
    backend::Claimed,
    meter::LEASE_LOST,
    outcome::chain,
    trace,
};

/// How long a run that was told to stop may take to clean up before it is dropped.
const GRACE: Duration = Duration::from_secs(5);
/// The same when its lease is lost: another worker may have started already.
const GRACE_LOST: Duration = Duration::from_millis(500);
/// How long a dropped run may still hold its thread before we go on without it.
const GIVE_UP: Duration = Duration::from_secs(5);

/// A [`Failure`] as an error, which is what apalis and its layers pass on.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) Failure);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Failure::Retry(error) | Failure::RetryAfter(error, _) => error.fmt(f),
            Failure::Cancel { reason, .. }
            | Failure::Fail { reason, .. }
            | Failure::Quarantine { reason, .. } => f.write_str(reason),
        }
    }
}

impl Error for Failed {}

/// The engine's layer around whatever layers and handler the worker has.
#[derive(Debug, Clone)]
pub(crate) struct ExecuteLayer {
    pub(crate) worker: uuid::Uuid,
}

#[derive(Debug, Clone)]
pub(crate) struct Execute<S> {
    inner: S,
    worker: uuid::Uuid,
}

impl<S> Layer<S> for ExecuteLayer {
    type Service = Execute<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Execute {
            inner,
            worker: self.worker,
        }
    }
}

impl<S> Service<Task<Claimed>> for Execute<S>
where
    S: Service<Task<Claimed>, Response = Done>,
    S::Error: Into<BoxDynError> + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = ();
    type Error = BoxDynError;
    type Future = BoxFuture<'static, Result<(), BoxDynError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut task: Task<Claimed>) -> Self::Future {
        let guard = task.args.guard.take();
        let run = task.args.run.clone();
        let worker = self.worker;
        let traced = trace::running(&run, worker);
        let span = info_span!(
            "job", job.id = %run.id, job.kind = run.kind, job.queue = run.queue, job.run_no = run.run_no,
            job.attempt = run.attempt, trace_id = trace::id_of(&run, &traced),
        );
        let inner = self.inner.call(task);
        let ticket = run.ticket.clone();
        let handler = async move {
            if !ticket.may_begin() {
                return Err(Failure::from("the lease ended before the run began"));
            }
            inner.await.map_err(|error| {
                let error: BoxDynError = error.into();
                // Anything else comes from a layer in between.
                match error.downcast::<Failed>() {
                    Ok(failed) => failed.0,
                    Err(other) => Failure::Retry(other),
                }
            })
        };
        let handler = handler.instrument(span.clone());
        let handler = OnDrop(tokio::spawn(trace::within(&run, traced.clone(), handler)));
        Box::pin(
            async move {
                if let Some(guard) = guard {
                    supervise(guard, handler, worker, &traced).await;
                }
                Ok(())
            }
            .instrument(span),
        )
    }
}

/// A spawned handler that is aborted when nobody waits for it any more.
struct OnDrop(JoinHandle<Result<Done, Failure>>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a handler ended.
enum Ended {
    Answered(Result<Done, Failure>),
    Panicked(String),
    /// It was told to stop, did not, and was dropped.
    Dropped,
}

impl From<Result<Result<Done, Failure>, JoinError>> for Ended {
    fn from(joined: Result<Result<Done, Failure>, JoinError>) -> Self {
        match joined {
            Ok(outcome) => Self::Answered(outcome),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Self::Panicked(
                    panic
                        .downcast_ref::<&str>()
                        .map(|&text| text.to_owned())
                        .or_else(|| panic.downcast_ref::<String>().cloned())
                        .unwrap_or_else(|| "no message".to_owned()),
                ),
                Err(_) => Self::Dropped,
            },
        }
    }
}

async fn supervise(mut guard: Guard, mut handler: OnDrop, worker: uuid::Uuid, traced: &Span) {
    let run = guard.run().clone();
    run.meter.started.increment(1);
    let started = Instant::now();
    let stop = run.cancelled();
    let ended = tokio::select! {
        joined = &mut handler.0 => Ended::from(joined),
        () = stopped(&guard, &stop) => {
            let grace = match run.cancel_reason() {
                Some(CancelReason::LeaseLost) => GRACE_LOST,
                _ => run.ticket.grace().unwrap_or(GRACE),
            };
            if let Ok(joined) = timeout(grace, &mut handler.0).await {
                Ended::from(joined)
            } else {
                handler.0.abort();
                if timeout(GIVE_UP, &mut handler.0).await.is_err() {
                    tracing::error!("the handler holds its thread and cannot be stopped; going on without it");
                }
                Ended::Dropped
            }
        }
    };
    let took = started.elapsed();
    let answer = judge(&guard, ended, worker, took);
    report(&guard, answer.as_ref(), took, traced);
    match answer {
        Some(answer) => guard.answer(answer),
        None => guard.forget(),
    }
}

/// Waits until the run has to stop, be it for its own timeout.
async fn stopped(guard: &Guard, stop: &tokio_util::sync::CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(guard.timeout) => guard.run().ticket.cancel(CancelReason::Timeout),
    }
}

/// Turns the end of a handler into what the database is told; nothing when that is done or not ours to tell.
fn judge(guard: &Guard, ended: Ended, worker: uuid::Uuid, took: Duration) -> Option<Answer> {
    let run = guard.run();
    let why = run.cancel_reason();
    let entry = |code: Option<&str>, error: &str| {
        json!({"run_no": run.run_no, "attempt": run.attempt, "code": code, "error": storable(error),
               "worker": worker, "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX)})
    };
    let end = |state: State, code: Option<String>, reason: Option<String>, error: Option<Value>| {
        Some(Answer::End {
            state,
            code: code.as_deref().map(storable),
            reason: reason.as_deref().map(storable),
            result: None,
            error,
        })
    };
    let again = |code: Option<&str>, error: &str, wait: Option<Duration>| {
        if run.charged() >= run.max_attempts {
            let error_entry = entry(code, error);
            let code = code.unwrap_or("attempts_spent").to_owned();
            return end(
                State::Discarded,
                Some(code),
                Some(error.to_owned()),
                Some(error_entry),
            );
        }
        Some(Answer::Back {
            state: State::Retryable,
            delay: Some(wait.unwrap_or_else(|| guard.backoff.wait(run.charged()))),
            refund: false,
            error: Some(entry(code, error)),
        })
    };
    // Whatever it did, the job is not ours any more: a late answer would be refused anyway.
    if why == Some(CancelReason::LeaseLost)
        && !matches!(ended, Ended::Answered(Ok(Done::Committed)))
    {
        return None;
    }
    let failure = match ended {
        Ended::Answered(Ok(done)) => {
            return match done {
                Done::Committed => None,
                Done::Completed => end(State::Completed, None, None, None),
                Done::CompletedWith(result) => Some(Answer::End {
                    state: State::Completed,
                    code: None,
                    reason: None,
                    result: Some(result),
                    error: None,
                }),
                Done::Snooze(delay) => Some(Answer::Back {
                    state: State::Scheduled,
                    delay: Some(delay),
                    refund: true,
                    error: None,
                }),
            };
        }
        Ended::Answered(Err(failure)) => Some(failure),
        Ended::Panicked(message) => {
            tracing::error!("the handler panicked: {message}");
            return again(Some("panic"), &format!("panicked: {message}"), None);
        }
        Ended::Dropped => None,
    };
    match (why, failure) {
        // The reason given with the request is on the row.
        (Some(CancelReason::Requested), _) => {
            end(State::Cancelled, Some("cancelled".to_owned()), None, None)
        }
        (_, Some(Failure::Cancel { reason, code })) => {
            end(State::Cancelled, code, Some(reason), None)
        }
        (_, Some(Failure::Fail { reason, code })) => {
            let error = entry(code.as_deref(), &reason);
            end(State::Discarded, code, Some(reason), Some(error))
        }
        (_, Some(Failure::Quarantine { reason, code })) => {
            let error = entry(code.as_deref(), &reason);
            end(State::Quarantined, code, Some(reason), Some(error))
        }
        (Some(CancelReason::Timeout), _) => {
            let error = format!("took longer than {} s", guard.timeout.as_secs_f32());
            again(Some("timeout"), &error, None)
        }
        (Some(CancelReason::Shutdown), _) => Some(Answer::RELEASE),
        (_, Some(Failure::Retry(error))) => again(None, &chain(error.as_ref()), None),
        (_, Some(Failure::RetryAfter(error, wait))) => {
            again(None, &chain(error.as_ref()), Some(wait))
        }
        // Dropped without a reason: the runtime itself is going down.
        (_, None) => Some(Answer::RELEASE),
    }
}

fn report(guard: &Guard, answer: Option<&Answer>, took: Duration, traced: &Span) {
    let kind = guard.run().kind.as_str();
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let outcome = match answer {
        None if guard.run().cancel_reason() == Some(CancelReason::LeaseLost) => LEASE_LOST,
        None => "completed",
        Some(Answer::End { state, .. } | Answer::Back { state, .. }) => state.as_str(),
    };
    trace::ended(traced, outcome, failure(outcome, answer));
    guard.run().meter.ended(outcome);
    guard.run().meter.run.record(took.as_secs_f64());
    match answer {
        Some(Answer::End {
            state: state @ (State::Discarded | State::Quarantined),
            reason,
            ..
        }) => {
            tracing::warn!(duration_ms, reason, "{kind} failed for good and is {state}");
        }
        Some(Answer::Back {
            state: State::Retryable,
            delay,
            error,
            ..
        }) => {
            tracing::warn!(duration_ms, ?delay, error = %error.as_ref().map_or(&serde_json::Value::Null, |e| &e["error"]), "{kind} failed and will be retried");
        }
        _ => tracing::debug!(duration_ms, outcome, "finished {kind}"),
    }
}

/// The word and the sentence for a run that failed, whether or not there will be another.
fn failure<'a>(outcome: &'a str, answer: Option<&'a Answer>) -> Option<(&'a str, &'a str)> {
    let said = match answer {
        None if outcome == LEASE_LOST => return Some((LEASE_LOST, "the lease of the job is lost")),
        Some(
            Answer::End {
                state: State::Discarded | State::Quarantined,
                error,
                ..
            }
            | Answer::Back {
                state: State::Retryable,
                error,
                ..
            },
        ) => error.as_ref(),
        _ => return None,
    };
    let part = |name: &str| said.and_then(|said| said[name].as_str());
    Some((
        part("code").unwrap_or(outcome),
        part("error").unwrap_or_default(),
    ))
}

/// PostgreSQL stores no NUL, and nobody reads more than 4 KiB of an error.
pub(crate) fn storable(text: &str) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    if text.len() > 4096 {
        let end = (0..=4096)
            .rev()
            .find(|&i| text.is_char_boundary(i))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
