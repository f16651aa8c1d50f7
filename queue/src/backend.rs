//! Our backend of apalis: one per queue, fed by the claimer that the whole process shares.
//!
//! It never returns an error (an error would end the worker) and holds nothing that has to be flushed: renewal,
//! acknowledgement and cancellation are tasks of the engine, since a backend is not polled while its worker drains.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::TaskId},
    worker::context::WorkerContext,
};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{Run, answer::Guard, execute::ExecuteLayer};

/// A claimed job on its way to its handler.
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) run: Arc<Run>,
    pub(crate) args: Value,
    pub(crate) guard: Option<Guard>,
}

/// Where the claimer puts the jobs of a queue. Unbounded, but never longer than the queue's free slots.
pub(crate) type Inbox = Arc<Mutex<UnboundedReceiver<Claimed>>>;

pub(crate) struct QueueBackend {
    inbox: Inbox,
    layer: ExecuteLayer,
}

impl QueueBackend {
    pub(crate) fn new(inbox: Inbox, layer: ExecuteLayer) -> Self {
        Self { inbox, layer }
    }
}

impl Backend for QueueBackend {
    type Task = Task<Claimed>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Self::Error>>> {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.poll_recv(cx).map(|claimed| {
            claimed.map(|claimed| {
                let name = format!("{}:{}", claimed.run.id, claimed.run.run_no);
                let task = TaskBuilder::new(claimed).task_id(TaskId::from_string(name));
                Ok(task.build())
            })
        })
    }

    fn poll_close(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for QueueBackend {
    type Args = Claimed;
    type Id = String;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = ExecuteLayer;

    fn config(&self) -> &Self::Config {
        &()
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> Self::Layer {
        self.layer.clone()
    }
}
