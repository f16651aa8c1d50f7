//! The answer to a claim, and the duty to give exactly one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::sync::{Notify, mpsc::UnboundedSender};

use crate::{Backoff, Run, State, slots::Slot, ticket::Tickets};

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
pub(crate) struct Ack {
    pub(crate) run: Arc<Run>,
    pub(crate) answer: Answer,
}

impl Ack {
    /// Whether its run went well.
    pub(crate) fn completes(&self) -> bool {
        matches!(
            self.answer,
            Answer::End {
                state: State::Completed,
                ..
            }
        )
    }
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
    pub(crate) tickets: Arc<Tickets>,
}

impl Acks {
    pub(crate) fn new(sender: UnboundedSender<Ack>, tickets: Arc<Tickets>) -> Self {
        Self {
            sender,
            backlog: Arc::default(),
            settled: Arc::default(),
            tickets,
        }
    }

    /// `count` answers have been accepted, or refused for good.
    pub(crate) fn done(&self, count: usize) {
        self.backlog.fetch_sub(count, Ordering::SeqCst);
        self.settled.notify_one();
    }

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

impl Answer {
    /// The same answer with nothing in it that could be unstorable; `None` when there was nothing to take out.
    pub(crate) fn without_data(&self) -> Option<Self> {
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
