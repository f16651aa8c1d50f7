//! Runs jobs in the test's own task, one at a time, as a worker would.

use std::{convert::Infallible, sync::Arc, time::Duration};

use apalis_core::{
    error::BoxDynError,
    task::{Task, builder::TaskBuilder, task_id::TaskId},
};
use millrace_bus::Notifier;
use sqlx::{PgConnection, PgPool};
use tokio::{
    sync::mpsc::unbounded_channel,
    time::{Instant, sleep},
};
use tower::{Layer as _, Service as _, service_fn};
use uuid::Uuid;

use super::{
    choice::{Choice, Chooser, LEASE},
    ran::Ran,
};
use crate::{
    CancelReason, JobId, Registry,
    acknowledge::{is_data_error, send},
    answer::{Ack, Acks, Guard},
    backend::Claimed,
    execute::{ExecuteLayer, Failed},
    explain,
    fetch::Row,
    find,
    log::LogBook,
    meter::Meters,
    progress::ProgressBoard,
    rescue::{regate, rescue},
    slots::Slots,
    ticket::{Ticket, Tickets},
};

/// How often a run is told of its cancellation.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Jobs that come due at one look.
const PROMOTE: i32 = 10_000;

/// A worker without loops: it does one thing at a time, when a test says so, and everything is done when it returns.
pub struct Runner<C> {
    pub(super) pool: PgPool,
    registry: Arc<Registry<C>>,
    context: C,
    worker: Uuid,
    chooser: Chooser,
}

/// Why a job was not run.
#[derive(Debug, thiserror::Error)]
pub enum NotRun {
    /// There is no such job.
    #[error("there is no job {0}")]
    Unknown(JobId),
    /// No worker would run it now.
    #[error("job {job} cannot run now: {why}")]
    Refused { job: JobId, why: String },
    /// The database refused.
    #[error("could not run the job")]
    Database(#[from] sqlx::Error),
}

/// What a look found.
pub(super) enum Next {
    Ran(Box<Ran>),
    /// Nothing is due; something may be after so long.
    Nothing(Option<Duration>),
}

impl<C: Clone + Send + Sync + 'static> Runner<C> {
    /// Registers kinds, schedules and limits with the database, as a worker does when it starts.
    ///
    /// # Errors
    /// When the database does not answer or lacks the schema.
    pub async fn new(pool: PgPool, registry: Registry<C>, context: C) -> Result<Self, sqlx::Error> {
        registry.announce(&mut *pool.acquire().await?).await?;
        let worker = Uuid::now_v7();
        Ok(Self {
            pool,
            chooser: Chooser::new(worker, registry.names()),
            registry: Arc::new(registry),
            context,
            worker,
        })
    }

    /// Runs the next job that is due, of any queue and of the kinds in the registry, if there is one. Pauses, limits, rates
    /// and turns are kept.
    ///
    /// # Errors
    /// Those of the statements. A job that fails is no error: see [`Ran`].
    pub async fn run_next(&self) -> Result<Option<Ran>, sqlx::Error> {
        match self.step().await? {
            Next::Ran(ran) => Ok(Some(*ran)),
            Next::Nothing(_) => Ok(None),
        }
    }

    /// Runs this job, though others may be before it. It has to be due and free to run.
    ///
    /// # Errors
    /// See [`NotRun`], which says why not.
    pub async fn run(&self, job: JobId) -> Result<Ran, NotRun> {
        let mut conn = self.pool.acquire().await?;
        look(&mut conn).await?;
        if let Some((row, token)) = self.chooser.this(&mut conn, job).await? {
            drop(conn);
            return Ok(self.work(row, token).await?);
        }
        let Some(row) = find(&mut conn, job).await? else {
            return Err(NotRun::Unknown(job));
        };
        let mut why: Vec<String> = explain(&mut *conn, job)
            .await?
            .into_iter()
            // No worker is needed here, and no turn.
            .filter(|reason| !["no_worker", "in_line"].contains(&reason.code.as_str()))
            .map(|reason| reason.detail)
            .collect();
        if !self.chooser.kinds.contains(&row.kind) {
            why.push(format!("The kind {} is not registered here.", row.kind));
        }
        let why = why.join(" ");
        Err(NotRun::Refused { job, why })
    }

    /// Runs the next job; without one, says when to come again.
    pub(super) async fn step(&self) -> Result<Next, sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        let due = look(&mut conn).await?;
        match self.chooser.next(&mut conn).await? {
            Choice::Job(row, token) => {
                drop(conn);
                self.work(*row, token).await.map(Box::new).map(Next::Ran)
            }
            Choice::Nothing(opens) => Ok(Next::Nothing([due, opens].into_iter().flatten().min())),
        }
    }

    /// Runs a claimed job to its end, and tells the database how it ended.
    async fn work(&self, row: Row, token: Uuid) -> Result<Ran, sqlx::Error> {
        let begun = Instant::now();
        let (tickets, board, book) = (
            Arc::new(Tickets::default()),
            Arc::new(ProgressBoard::default()),
            Arc::new(LogBook::default()),
        );
        let notifier = Notifier::silent();
        let slots = Slots::new(&[(row.queue.clone(), 1)]);
        let slot = slots.occupy(&row.queue).ok_or(sqlx::Error::RowNotFound)?;
        let (sender, mut answers) = unbounded_channel();
        let acks = Acks::new(sender, tickets.clone());
        let ticket = Arc::new(Ticket::new(JobId(row.id), token, begun, begun + LEASE));
        tickets.insert(ticket.clone());
        let (timeout, backoff) = (row.timeout(), row.backoff(&self.registry.backoffs()));
        let meter = Meters::default().of(&row.queue, &row.kind);
        let (run, args) = row.begin(
            ticket.clone(),
            board.clone(),
            book.clone(),
            notifier.clone(),
            meter,
        );
        let guard = Guard::new(run.clone(), timeout, backoff, acks, slot);
        let claimed = Claimed {
            run: run.clone(),
            args,
            guard: Some(guard),
        };
        let (registry, context) = (self.registry.clone(), self.context.clone());
        let layer = ExecuteLayer {
            worker: self.worker,
        };
        let mut service = layer.layer(service_fn(move |task: Task<Claimed>| {
            let claimed = task.args;
            let work = registry.dispatch(claimed.args, claimed.run, context.clone());
            async move {
                work.await
                    .map_err(|failure| Box::new(Failed(failure)) as BoxDynError)
            }
        }));
        let name = format!("{}:{}", run.id, run.run_no);
        let task = TaskBuilder::new(claimed).task_id(TaskId::from_string(name));
        tokio::select! {
            // Its error is in its answer.
            _ = service.call(task.build()) => {}
            never = self.watch(&ticket) => match never {},
        }
        if let Ok(ack) = answers.try_recv() {
            self.tell(ack).await?;
        }
        board.flush(&self.pool, &notifier).await;
        book.flush(&self.pool).await;
        let job = find(&mut *self.pool.acquire().await?, run.id).await?;
        let job = job.ok_or(sqlx::Error::RowNotFound)?;
        Ok(Ran::new(run.run_no, run.attempt, job))
    }

    async fn tell(&self, mut ack: Ack) -> Result<(), sqlx::Error> {
        let mut conn = self.pool.acquire().await?;
        loop {
            let told = send(&mut conn, std::slice::from_ref(&ack)).await;
            match told {
                Ok(_) => return Ok(()),
                Err(error) if is_data_error(&error) => match ack.answer.without_data() {
                    Some(answer) => ack.answer = answer,
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }

    /// Tells a run that somebody cancelled or ended it. A database that does not answer is found out by others.
    async fn watch(&self, ticket: &Ticket) -> Infallible {
        loop {
            sleep(LOOK_EVERY).await;
            let row: Result<Option<(bool, Option<i64>)>, _> = sqlx::query_as(
                "select cancel_requested_at is not null, cancel_grace_ms from queue.job where id = $1 and token = $2",
            )
            .bind(ticket.id)
            .bind(ticket.token)
            .fetch_optional(&self.pool)
            .await;
            match row {
                Ok(Some((true, grace))) => {
                    let grace = grace.map(|ms| Duration::from_millis(ms.unsigned_abs()));
                    ticket.request_cancel(grace);
                }
                Ok(None) if !ticket.is_answered() => ticket.cancel(CancelReason::LeaseLost),
                _ => {}
            }
        }
    }
}

/// What the loops of a worker do before it claims: takes back the jobs of the dead, gives gates to those that lack
/// theirs, and lets due jobs come due. Says after how long the next one is.
async fn look(conn: &mut PgConnection) -> Result<Option<Duration>, sqlx::Error> {
    drop(rescue(conn).await?.wake);
    regate(conn).await?;
    let seconds: Vec<Option<f64>> = sqlx::query_scalar(
        "select extract(epoch from next_due - clock_timestamp())::float8 from queue.promote($1)",
    )
    .bind(PROMOTE)
    .fetch_all(conn)
    .await?;
    let next = seconds.into_iter().flatten().next();
    Ok(next.map(|seconds| Duration::from_secs_f64(seconds.max(0.0))))
}
