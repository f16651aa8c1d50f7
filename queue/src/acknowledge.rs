//! Tells the database how runs ended: in batches, until it accepts.
//!
//! Acknowledging one by one cuts 114 k jobs/s to 4.3 k. The lease of a run is renewed until its answer is accepted, so
//! a database that is away for longer than a lease costs no second run as long as this process lives. An answer whose
//! token is gone changes nothing. A data error (an unstorable result) bisects the batch, so that it costs its own job
//! and no neighbour's.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use millrace_bus::Notifier;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tokio::{
    sync::{
        Mutex, Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Backoff, Run, State, Wake,
    job::millis,
    link::{Link, PATIENCE},
    slots::{Slot, Slots},
    ticket::Tickets,
};

/// Answers per statement.
const BATCH: usize = 500;
/// Statements in flight: while one commits, the next is filled.
const LANES: usize = 2;
/// Answers that wait; beyond, nothing is claimed.
const BACKLOG: usize = 10_000;

/// How a run ended, as the database is told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    End {
        state: State,
        code: Option<String>,
        reason: Option<String>,
        result: Option<Value>,
        error: Option<Value>,
    },
    Back {
        state: State,
        delay: Option<Duration>,
        /// Give the attempt back.
        refund: bool,
        error: Option<Value>,
    },
}

impl Answer {
    /// As if it had never been claimed.
    pub(crate) const RELEASE: Self = Self::Back {
        state: State::Available,
        delay: None,
        refund: true,
        error: None,
    };
}

/// An answer on its way.
#[derive(Debug, Clone)]
struct Ack {
    run: Arc<Run>,
    answer: Answer,
}

/// The duty to answer for one claim. Dropped without an answer (the worker goes away before the run has started), it
/// releases the job.
#[derive(Debug)]
pub(crate) struct Guard {
    run: Arc<Run>,
    pub(crate) timeout: Duration,
    pub(crate) backoff: Backoff,
    acks: Acks,
    slot: Option<Slot>,
    answered: bool,
}

impl Guard {
    pub(crate) fn new(
        run: Arc<Run>,
        timeout: Duration,
        backoff: Backoff,
        acks: Acks,
        slot: Slot,
    ) -> Self {
        Self {
            run,
            timeout,
            backoff,
            acks,
            slot: Some(slot),
            answered: false,
        }
    }

    pub(crate) fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(crate) fn answer(&mut self, answer: Answer) {
        self.answered = true;
        self.run.board.end(self.run.id);
        self.run.ticket.set_answered(true);
        self.acks.send(Ack {
            run: self.run.clone(),
            answer,
        });
        self.slot = None;
    }

    /// The database knows already, or must not be told.
    pub(crate) fn forget(&mut self) {
        self.answered = true;
        self.run.board.end(self.run.id);
        self.acks.tickets.remove(self.run.id, self.run.ticket.token);
        self.slot = None;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !self.answered {
            self.answer(Answer::RELEASE);
        }
    }
}

/// Where answers are handed in; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Acks {
    sender: UnboundedSender<Ack>,
    backlog: Arc<AtomicUsize>,
    settled: Arc<Notify>,
    tickets: Arc<Tickets>,
}

impl Acks {
    /// Waits for the next batch to be accepted.
    pub(crate) async fn settled(&self) {
        self.settled.notified().await;
    }

    fn send(&self, ack: Ack) {
        self.backlog.fetch_add(1, Ordering::SeqCst);
        // The lanes outlive every guard; in a dying runtime the lease ends by itself.
        let _ = self.sender.send(ack);
    }

    /// Whether claiming more would only pile up answers.
    pub(crate) fn is_full(&self) -> bool {
        self.backlog.load(Ordering::SeqCst) >= BACKLOG
    }

    /// Whether every answer was accepted.
    pub(crate) fn is_empty(&self) -> bool {
        self.backlog.load(Ordering::SeqCst) == 0
    }
}

/// The lanes that carry the answers.
pub(crate) struct Acker {
    pub(crate) acks: Acks,
    receiver: UnboundedReceiver<Ack>,
    slots: Arc<Slots>,
    notifier: Notifier,
}

impl Acker {
    pub(crate) fn new(tickets: Arc<Tickets>, slots: Arc<Slots>, notifier: Notifier) -> Self {
        let (sender, receiver) = unbounded_channel();
        Self {
            acks: Acks {
                sender,
                backlog: Arc::default(),
                settled: Arc::default(),
                tickets,
            },
            receiver,
            slots,
            notifier,
        }
    }

    /// Carries answers until `stop`, which the engine cancels once none is left or the deadline has come.
    pub(crate) async fn run(self, options: PgConnectOptions, stop: CancellationToken) {
        let receiver = Arc::new(Mutex::new(self.receiver));
        let mut lanes = JoinSet::new();
        for _ in 0..LANES {
            let lane = Lane {
                acks: self.acks.clone(),
                slots: self.slots.clone(),
                notifier: self.notifier.clone(),
                link: Link::new(&options, "ack"),
                stop: stop.clone(),
            };
            lanes.spawn(lane.run(receiver.clone()));
        }
        while lanes.join_next().await.is_some() {}
    }
}

struct Lane {
    acks: Acks,
    slots: Arc<Slots>,
    notifier: Notifier,
    link: Link,
    stop: CancellationToken,
}

impl Lane {
    async fn run(mut self, receiver: Arc<Mutex<UnboundedReceiver<Ack>>>) {
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            tokio::select! {
                count = async { receiver.lock().await.recv_many(&mut batch, BATCH).await } => {
                    if count == 0 { return; }
                }
                () = self.stop.cancelled() => return,
            }
            // All statements over several jobs lock them by id.
            batch.sort_unstable_by_key(|ack| ack.run.id);
            let count = batch.len();
            let stop = self.stop.clone();
            tokio::select! {
                () = self.deliver(batch) => {}
                () = stop.cancelled() => {
                    tracing::error!("stopped before the database took {count} answers; those jobs run again after their leases");
                    return;
                }
            }
            self.acks.backlog.fetch_sub(count, Ordering::SeqCst);
            self.acks.settled.notify_one();
            self.slots.ring();
        }
    }

    /// Tries until the database has taken every answer, or refused it for good.
    async fn deliver(&mut self, batch: Vec<Ack>) {
        let mut parts = vec![batch];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let answer = timeout(PATIENCE, send(&mut self.link, &part)).await;
            match self.link.settle(answer) {
                Ok((taken, wake)) => self.settle(&part, &taken, wake),
                Err(error) if is_data_error(&error) => {
                    if let [ack] = part.as_slice() {
                        tracing::error!(job.id = %ack.run.id, %error, "the answer of {} cannot be stored", ack.run.kind);
                        match ack.answer.without_data() {
                            Some(answer) => parts.push(vec![Ack {
                                run: ack.run.clone(),
                                answer,
                            }]),
                            None => self.acks.tickets.remove(ack.run.id, ack.run.ticket.token),
                        }
                    } else {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.push(right.to_vec());
                        parts.push(left.to_vec());
                    }
                }
                Err(_) => {
                    parts.push(part);
                    self.link.rest(&self.stop).await;
                }
            }
        }
    }

    fn settle(&self, part: &[Ack], taken: &HashSet<Uuid>, wake: Wake) {
        for ack in part {
            if !taken.contains(&ack.run.id.0) {
                // A lost lease, or the second try of an answer that had arrived.
                metrics::counter!("millrace_job_answers_refused_total").increment(1);
                tracing::info!(job.id = %ack.run.id, job.run_no = ack.run.run_no, "an answer came too late or twice and changed nothing");
            }
            self.acks.tickets.remove(ack.run.id, ack.run.ticket.token);
        }
        for queue in wake.queue_names() {
            self.slots.wake(queue);
        }
        wake.fire(&self.notifier);
    }
}

impl Answer {
    /// The same answer with nothing in it that could be unstorable; `None` when there was nothing to take out.
    fn without_data(&self) -> Option<Self> {
        const SAID: &str = "the result of the job could not be stored";
        match self {
            Self::End {
                code: Some(code),
                result: None,
                error: None,
                ..
            } if code == "unstorable" => None,
            Self::End { .. } => Some(Self::End {
                state: State::Discarded,
                code: Some("unstorable".to_owned()),
                reason: Some(SAID.to_owned()),
                result: None,
                error: None,
            }),
            Self::Back { error: None, .. } => None,
            Self::Back {
                state,
                delay,
                refund,
                ..
            } => Some(Self::Back {
                state: *state,
                delay: delay.map(|d| d.min(Duration::from_secs(365 * 24 * 3600))),
                refund: *refund,
                error: None,
            }),
        }
    }
}

type Taken = (HashSet<Uuid>, Wake);

async fn send(link: &mut Link, part: &[Ack]) -> Result<Taken, sqlx::Error> {
    let conn = link.conn().await?;
    let mut taken = HashSet::with_capacity(part.len());
    let mut wake = Wake::none();
    let mut take = |rows: Vec<(Option<Uuid>, Option<String>)>| {
        for (ended, queue) in rows {
            taken.extend(ended);
            if let Some(queue) = queue {
                wake.queue(queue);
            }
        }
    };
    let mut ends = Ends::default();
    let mut backs = Backs::default();
    for ack in part {
        match &ack.answer {
            Answer::End {
                state,
                code,
                reason,
                result,
                error,
            } => {
                ends.ids.push(ack.run.id.0);
                ends.tokens.push(ack.run.ticket.token);
                ends.states.push(state.as_str());
                ends.codes.push(code.as_deref());
                ends.reasons.push(reason.as_deref());
                ends.results.push(result.as_ref());
                ends.errors.push(error.as_ref());
            }
            Answer::Back {
                state,
                delay,
                refund,
                error,
            } => {
                backs.ids.push(ack.run.id.0);
                backs.tokens.push(ack.run.ticket.token);
                backs.states.push(state.as_str());
                backs.delays.push(delay.map(millis));
                backs.refunds.push(*refund);
                backs.errors.push(error.as_ref());
            }
        }
    }
    if !ends.ids.is_empty() {
        take(
            sqlx::query_as(
                "select ended, wake from queue.end_jobs($1, $2, $3::text[]::queue.state[], $4, $5, $6, $7)",
            )
            .bind(ends.ids)
            .bind(ends.tokens)
            .bind(ends.states)
            .bind(ends.codes)
            .bind(ends.reasons)
            .bind(ends.results)
            .bind(ends.errors)
            .fetch_all(&mut *conn)
            .await?,
        );
    }
    if !backs.ids.is_empty() {
        take(
            sqlx::query_as(
                "select ended, wake from queue.put_back($1, $2, $3::text[]::queue.state[], $4, $5, $6)",
            )
            .bind(backs.ids)
            .bind(backs.tokens)
            .bind(backs.states)
            .bind(backs.delays)
            .bind(backs.refunds)
            .bind(backs.errors)
            .fetch_all(&mut *conn)
            .await?,
        );
    }
    Ok((taken, wake))
}

#[derive(Default)]
struct Ends<'a> {
    ids: Vec<Uuid>,
    tokens: Vec<Uuid>,
    states: Vec<&'static str>,
    codes: Vec<Option<&'a str>>,
    reasons: Vec<Option<&'a str>>,
    results: Vec<Option<&'a Value>>,
    errors: Vec<Option<&'a Value>>,
}

#[derive(Default)]
struct Backs<'a> {
    ids: Vec<Uuid>,
    tokens: Vec<Uuid>,
    states: Vec<&'static str>,
    delays: Vec<Option<i64>>,
    refunds: Vec<bool>,
    errors: Vec<Option<&'a Value>>,
}

/// Classes 22 (data exception), 23 (integrity) and 54 (too large or deep): trying the same again cannot help.
fn is_data_error(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(code.get(..2), Some("22" | "23" | "54"))),
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}
