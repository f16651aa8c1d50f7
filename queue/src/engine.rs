//! A worker process: all loops of the engine around apalis's workers, from start to drained.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use apalis::prelude::{BoxDynError, Monitor, WorkerBuilder};
use millrace_bus::{Heard, Listener, Notifier};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::{Notify, mpsc::unbounded_channel},
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use uuid::Uuid;

use crate::{
    Drained, Registry,
    acknowledge::Acker,
    backend::{Claimed, Inbox, QueueBackend},
    claim::Claimer,
    drain::Drain,
    execute::{ExecuteLayer, Failed},
    hand_out::HandOut,
    lease::{Keeper, Worker},
    link::{Link, ONE_PLAN},
    log::LogBook,
    maintain::maintain_until,
    meter::{self, Meters},
    progress::ProgressBoard,
    rescue::rescue_until,
    sample::sample_until,
    slots::{Holds, Slots},
    tick::Ticker,
    ticket::Tickets,
    wake::{CANCEL, WORK},
};

/// A database that is away for longer when a worker starts is its operator's business.
const START_WITHIN: Duration = Duration::from_secs(30);
const START_AGAIN: Duration = Duration::from_millis(250);

/// How a worker works.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// For handlers and progress. The loops of the engine have connections of their own (about seven).
    pub pool: PgPool,
    /// How to make those, and to LISTEN: a direct connection, not one through a transaction pooler.
    pub listen_options: PgConnectOptions,
    /// The queues it serves and how many of their jobs run at the same time.
    pub queues: Vec<(String, usize)>,
    /// How long a claim holds without renewal: the time after which the jobs of a dead worker run elsewhere.
    pub lease: Duration,
    /// How often leases are renewed; at most a third of the lease.
    pub heartbeat: Duration,
    /// How often it looks for work and cancellations when nobody notifies. At most a second.
    pub poll: Duration,
    /// How often it looks for the jobs of dead workers.
    pub rescue: Duration,
    /// How often it looks over the schedules when none is due.
    pub schedules: Duration,
    /// How long running jobs may go on after a shutdown was asked for. Then they are told to stop, and released.
    pub drain_timeout: Duration,
    /// How many days finished jobs stay in the history, unless an operator says otherwise ([`keep`](crate::keep)).
    pub keep_days: i32,
    pub worker_name: String,
    pub version: String,
    pub notifier: Notifier,
    /// Hears nothing, for tests that prove that polling is enough.
    pub deaf: bool,
}

impl EngineOptions {
    /// The usual settings: lease 30 s renewed every 10 s, poll 1 s, 30 s to drain, 14 days of history.
    pub fn new(
        pool: PgPool,
        listen_options: PgConnectOptions,
        queues: Vec<(String, usize)>,
        notifier: Notifier,
    ) -> Self {
        Self {
            pool,
            listen_options,
            queues,
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(10),
            poll: Duration::from_secs(1),
            rescue: Duration::from_secs(3),
            schedules: Duration::from_secs(15),
            drain_timeout: Duration::from_secs(30),
            keep_days: 14,
            worker_name: "worker".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            notifier,
            deaf: false,
        }
    }
}

/// A worker, ready to [`run`](Engine::run).
pub struct Engine<C> {
    options: EngineOptions,
    registry: Arc<Registry<C>>,
    context: C,
    worker: Worker,
    slots: Arc<Slots>,
}

impl<C: Clone + Send + Sync + 'static> Engine<C> {
    /// Registers the kinds with the database. Nothing is claimed before [`Engine::run`].
    ///
    /// # Errors
    /// When the database does not answer or lacks the schema.
    pub async fn start(
        options: EngineOptions,
        registry: Registry<C>,
        context: C,
    ) -> Result<Self, sqlx::Error> {
        let begun = Instant::now();
        while let Err(error) = register(&options, &registry).await {
            if !is_passing(&error) || begun.elapsed() > START_WITHIN {
                return Err(error);
            }
            tracing::warn!(%error, "could not register with the database; trying again");
            sleep(START_AGAIN).await;
        }
        let slots: usize = options.queues.iter().map(|q| q.1).sum();
        let queues: HashMap<&str, usize> = options
            .queues
            .iter()
            .map(|(name, n)| (name.as_str(), *n))
            .collect();
        let worker = Worker {
            id: Uuid::now_v7(),
            name: options.worker_name.clone(),
            version: options.version.clone(),
            queues: serde_json::json!(queues),
            kinds: registry.names(),
            slots: i32::try_from(slots).unwrap_or(i32::MAX),
        };
        Ok(Self {
            slots: Slots::new(&options.queues),
            options,
            registry: Arc::new(registry),
            context,
            worker,
        })
    }

    /// The id under which this process claims.
    pub fn worker_id(&self) -> Uuid {
        self.worker.id
    }

    /// With these, claiming for a queue is suspended and resumed, before and while the engine runs.
    pub fn holds(&self) -> Holds {
        Holds::new(self.slots.clone())
    }

    /// Works until `shutdown`, then drains: claims nothing more, lets running jobs go on for the drain timeout with
    /// their leases kept, stops and releases the rest (which costs them no attempt), and waits for every answer to be
    /// accepted.
    pub async fn run(self, shutdown: CancellationToken) -> Drained {
        meter::describe();
        let options = &self.options;
        let tickets = Arc::new(Tickets::default());
        let slots = self.slots.clone();
        let board = Arc::new(ProgressBoard::default());
        let book = Arc::new(LogBook::default());
        let cancel_bell = Arc::new(Notify::new());
        let acker = Acker::new(tickets.clone(), slots.clone(), options.notifier.clone());
        let acks = acker.acks.clone();
        let layer = ExecuteLayer {
            worker: self.worker.id,
        };
        let mut inboxes = HashMap::new();
        let mut receivers = Vec::new();
        for (queue, _) in &options.queues {
            let (sender, receiver) = unbounded_channel();
            inboxes.insert(queue.clone(), sender);
            receivers.push((queue.clone(), Arc::new(Mutex::new(receiver))));
        }

        // Three ends: no more claims; no more answers; everything.
        let draining = CancellationToken::new();
        let acks_done = CancellationToken::new();
        let done = CancellationToken::new();
        let listen = &options.listen_options;
        let mut tasks = JoinSet::new();
        tasks.spawn(acker.run(listen.clone(), acks_done.clone()));
        let keeper = Keeper {
            worker: self.worker.clone(),
            lease: options.lease,
            heartbeat: options.heartbeat.min(options.lease / 3),
            poll: options.poll,
            link: Link::new(listen, "lease"),
            tickets: tickets.clone(),
            slots: slots.clone(),
            bell: cancel_bell.clone(),
            draining: draining.clone(),
        };
        tasks.spawn(keeper.run(done.clone()));
        let listener = if options.deaf {
            Listener::deaf()
        } else {
            Listener::start(listen.clone(), &[WORK, CANCEL], done.clone())
        };
        tasks.spawn(hear(listener, slots.clone(), cancel_bell, done.clone()));
        tasks.spawn(rescue_until(
            Link::new(listen, "rescue"),
            options.rescue,
            slots.clone(),
            options.notifier.clone(),
            draining.clone(),
        ));
        tasks.spawn(maintain_until(
            Link::new(listen, "maintain"),
            draining.clone(),
        ));
        tasks.spawn(sample_until(Link::new(listen, "sample"), draining.clone()));
        let ticker = Ticker {
            link: Link::new(listen, "tick"),
            every: options.schedules,
            slots: slots.clone(),
            notifier: options.notifier.clone(),
            refused: HashSet::new(),
        };
        tasks.spawn(ticker.run(draining.clone()));
        {
            let (board, book, pool, notifier, done) = (
                board.clone(),
                book.clone(),
                options.pool.clone(),
                options.notifier.clone(),
                done.clone(),
            );
            tasks.spawn(async move { board.flush_until(&book, &pool, &notifier, done).await });
        }
        let (claimed, batches) = unbounded_channel();
        let claimer = Claimer {
            worker: self.worker.id,
            kinds: self.registry.names(),
            lease: options.lease,
            poll: options.poll,
            link: Link::new(listen, "claim").with_settings(ONE_PLAN),
            slots: slots.clone(),
            acks: acks.clone(),
            notifier: options.notifier.clone(),
            claimed,
            claimed_at: Instant::now(),
            doubtful: Vec::new(),
            gates: HashMap::new(),
            openings: HashMap::new(),
            gated_first: true,
        };
        let hand_out = HandOut {
            acks: acks.clone(),
            tickets: tickets.clone(),
            board,
            book,
            meters: Meters::default(),
            notifier: options.notifier.clone(),
            inboxes,
            origin: Instant::now(),
            backoffs: self.registry.backoffs(),
        };
        let claim = {
            let draining = draining.clone();
            async move {
                let handing_out = AbortOnDropHandle::new(tokio::spawn(hand_out.run(batches)));
                claimer.run(draining).await;
                // Claims have ended when the last of them is handed out.
                let _ = handing_out.await;
            }
        };
        // Dropping the engine stops everything at once, as a crash would: the leases end by themselves.
        let mut claiming = AbortOnDropHandle::new(tokio::spawn(claim));
        let monitor = self.monitor(&receivers, &layer);
        let workers = monitor.context();
        let mut working = AbortOnDropHandle::new(tokio::spawn(monitor.run()));
        tracing::info!(worker.id = %self.worker.id, "{} serves {}", self.worker.name, self.worker.queues);

        let broken = tokio::select! {
            () = shutdown.cancelled() => None,
            // Workers restart whatever happens to them, and loops do not end; this is for the day they do. Without its
            // loops a worker is worse than none, so it drains, and whoever supervises the process starts another.
            _ = &mut working => Some("apalis's workers"),
            _ = &mut claiming => Some("the claimer"),
            _ = tasks.join_next() => Some("a loop"),
        };
        if let Some(what) = broken {
            tracing::error!("{what} ended by itself; draining");
        }
        draining.cancel();
        if !claiming.is_finished() {
            let _ = claiming.await;
        }
        let drained = Drain {
            options: &self.options,
            tickets: &tickets,
            acks: &acks,
            receivers: &receivers,
            broken: broken.is_some(),
        }
        .run(&workers, working)
        .await;
        acks_done.cancel();
        done.cancel();
        while tasks.join_next().await.is_some() {}
        tracing::info!(?drained, "{} has drained", self.worker.name);
        drained
    }

    /// One apalis worker per queue. They restart whatever happens: an inbox outlives its worker.
    fn monitor(&self, receivers: &[(String, Inbox)], layer: &ExecuteLayer) -> Monitor {
        let mut monitor = Monitor::new().should_restart(|worker, error| {
            tracing::error!(%error, "the worker of {} stumbled and is restarted", worker.name());
            true
        });
        for (queue, inbox) in receivers {
            let (queue, inbox, layer) = (queue.clone(), inbox.clone(), layer.clone());
            let (registry, context) = (self.registry.clone(), self.context.clone());
            monitor = monitor.register(move |_restarts| {
                let (registry, context) = (registry.clone(), context.clone());
                WorkerBuilder::new(queue.as_str())
                    .backend(QueueBackend::new(inbox.clone(), layer.clone()))
                    .build(move |claimed: Claimed| {
                        let work = registry.dispatch(claimed.args, claimed.run, context.clone());
                        async move {
                            work.await
                                .map_err(|failure| Box::new(Failed(failure)) as BoxDynError)
                        }
                    })
            });
        }
        monitor
    }
}

/// Tells the database what this process runs, brings its schedules and limits along, and says how long jobs are kept.
async fn register<C: Clone + Send + Sync + 'static>(
    options: &EngineOptions,
    registry: &Registry<C>,
) -> Result<(), sqlx::Error> {
    let mut conn = options.pool.acquire().await?;
    registry.announce(&mut conn).await?;
    // What holds for queues without a policy of their own, unless an operator said otherwise.
    sqlx::query(
        "update queue.queue
            set keep_days = case when keep_days is not distinct from keep_default then $1 else keep_days end,
                keep_default = $1
          where name = '*' and keep_default is distinct from $1",
    )
    .bind(options.keep_days)
    .execute(&mut *conn)
    .await?;
    Ok(())
}

/// Whether the database is only away for a moment: starting, stopping, out of connections, or cut off.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => error
            .code()
            .is_some_and(|code| matches!(code.get(..2), Some("08" | "40" | "53" | "57"))),
        _ => false,
    }
}

/// Passes on what others notify.
async fn hear(
    listener: Listener,
    slots: Arc<Slots>,
    cancels: Arc<Notify>,
    done: CancellationToken,
) {
    let mut heard = listener.subscribe();
    loop {
        let news = tokio::select! {
            news = heard.next() => news,
            () = done.cancelled() => return,
        };
        match news {
            Heard::Notice { channel, payload } if &*channel == WORK => slots.wake(&payload),
            Heard::Notice { .. } => cancels.notify_one(),
            Heard::Gap => {
                slots.wake_all();
                cancels.notify_one();
            }
        }
    }
}
