//! A database per test, workers in this process, and the kinds they run.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::future::BoxFuture;
use millrace_bus::Notifier;
use millrace_queue::{
    Backoff, Drained, Engine, EngineOptions, FailureNote, Holds, JobId, JobRow, Kind, Limit,
    NewJob, Outcome, Registry, Run, Schedule, State, enqueue, find, testing::Runner,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Far longer than anything takes; a test that waits for it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The kind that most tests run; the test's own closure is its handler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) n: i64,
}

impl Step {
    pub(crate) fn job(n: i64) -> NewJob {
        NewJob::new(&Step { n })
    }
}

impl Kind for Step {
    const KIND: &'static str = "step";
    const QUEUE: &'static str = "default";
    const ALIASES: &'static [&'static str] = &["old_step"];
    const MAX_ATTEMPTS: u16 = 3;
    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(40), 2.0, Duration::from_secs(1));
    const TIMEOUT: Duration = Duration::from_secs(30);
}

/// The kind that on_failure tests insert; it hands its note to the test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mourn {
    pub(crate) whom: String,
    #[serde(rename = "_failure", default)]
    pub(crate) failure: Option<FailureNote>,
}

impl Mourn {
    pub(crate) fn job(whom: &str) -> NewJob {
        NewJob::new(&Mourn {
            whom: whom.to_owned(),
            failure: None,
        })
    }
}

impl Kind for Mourn {
    const KIND: &'static str = "mourn";
    const QUEUE: &'static str = "default";
}

/// A database of its own, dropped at the end.
pub(crate) struct Db {
    pub(crate) pool: PgPool,
    pub(crate) options: PgConnectOptions,
    name: String,
    admin: PgConnectOptions,
}

impl Db {
    pub(crate) async fn new() -> Self {
        let _ = tracing_subscriber::fmt()
            .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
            .with_test_writer()
            .try_init();
        #[expect(
            clippy::disallowed_methods,
            reason = "the test command names the cluster"
        )]
        let url = std::env::var("DATABASE_URL")
            .expect("DATABASE_URL must name a PostgreSQL cluster in which databases can be made");
        let admin: PgConnectOptions = url.parse().expect("DATABASE_URL is a PostgreSQL URL");
        let admin = admin.database("postgres");
        let template = template(&admin).await;
        let name = format!("queue_test_{}", Uuid::now_v7().simple());
        let mut conn = admin.connect().await.expect("the cluster answers");
        sqlx::query(AssertSqlSafe(format!(
            "create database {name} template {template}"
        )))
        .execute(&mut conn)
        .await
        .expect("a database for the test");
        let options = admin.clone().database(&name);
        let pool = PgPoolOptions::new()
            .max_connections(20)
            .connect_lazy_with(options.clone());
        Self {
            pool,
            options,
            name,
            admin,
        }
    }

    pub(crate) async fn conn(&self) -> sqlx::pool::PoolConnection<sqlx::Postgres> {
        self.pool.acquire().await.expect("the database answers")
    }

    /// Enqueues without waking anybody: for jobs that are there before the worker is.
    pub(crate) async fn put(&self, job: NewJob) -> JobId {
        let mut conn = self.conn().await;
        enqueue(&mut conn, job).await.expect("enqueued").id
    }

    pub(crate) async fn job(&self, id: JobId) -> JobRow {
        let mut conn = self.conn().await;
        find(&mut conn, id)
            .await
            .expect("readable")
            .expect("the job exists")
    }

    /// Waits until the job is in `state`. An ending is not announced to anybody, so the row is looked at.
    pub(crate) async fn reaches(&self, id: JobId, state: State) -> JobRow {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let waited = timeout(PATIENCE, async {
            loop {
                tick.tick().await;
                let row = self.job(id).await;
                if row.state == state {
                    return row;
                }
            }
        })
        .await;
        match waited {
            Ok(row) => row,
            Err(_) => panic!("job did not become {state}: {:#?}", self.job(id).await),
        }
    }

    /// Whether no job is left in the hot table.
    pub(crate) async fn is_empty(&self) -> bool {
        let left: i64 = sqlx::query_scalar("select count(*) from queue.job")
            .fetch_one(&self.pool)
            .await
            .expect("readable");
        let edges: i64 = sqlx::query_scalar("select count(*) from queue.dependency")
            .fetch_one(&self.pool)
            .await
            .expect("readable");
        left == 0 && edges == 0
    }

    /// Claims a job for a worker that does not exist; its lease ends after `lease_ms`.
    pub(crate) async fn claim_for_nobody(&self, id: JobId, lease_ms: i64) -> Uuid {
        let token = Uuid::now_v7();
        let claimed = sqlx::query(
            "update queue.job set state = 'running', run_no = run_no + 1, attempt = attempt + 1, token = $2,
                    worker_id = $2, lease_until = clock_timestamp() + $3 * interval '1 millisecond'
              where id = $1 and state = 'available'",
        )
        .bind(id)
        .bind(token)
        .bind(lease_ms)
        .execute(&self.pool)
        .await
        .expect("claimed");
        assert_eq!(claimed.rows_affected(), 1, "the job was available");
        token
    }

    pub(crate) fn settings(&self) -> EngineOptions {
        let mut options = EngineOptions::new(
            self.pool.clone(),
            self.options.clone(),
            vec![("default".to_owned(), 8)],
            Notifier::start(self.options.clone(), CancellationToken::new()),
        );
        options.lease = Duration::from_secs(3);
        options.heartbeat = Duration::from_millis(500);
        options.poll = Duration::from_millis(200);
        options.rescue = Duration::from_millis(200);
        options.schedules = Duration::from_millis(200);
        options.drain_timeout = Duration::from_secs(8);
        options
    }

    pub(crate) async fn worker(&self, bench: &Bench) -> TestWorker {
        self.worker_with(bench, |_| {}).await
    }

    pub(crate) async fn worker_with(
        &self,
        bench: &Bench,
        change: impl FnOnce(&mut EngineOptions),
    ) -> TestWorker {
        let (engine, notifier) = self.engine(bench, change).await;
        TestWorker::start(engine, notifier)
    }

    /// A worker that holds the queue `heavy` from the beginning.
    pub(crate) async fn worker_and_holds(
        &self,
        bench: &Bench,
        change: impl FnOnce(&mut EngineOptions),
    ) -> (TestWorker, Holds) {
        let (engine, notifier) = self.engine(bench, change).await;
        let holds = engine.holds();
        holds.hold("heavy");
        (TestWorker::start(engine, notifier), holds)
    }

    async fn engine(
        &self,
        bench: &Bench,
        change: impl FnOnce(&mut EngineOptions),
    ) -> (Engine<()>, Notifier) {
        let mut options = self.settings();
        change(&mut options);
        let notifier = options.notifier.clone();
        let engine = Engine::start(options, bench.registry(&self.pool), ())
            .await
            .expect("the engine starts");
        (engine, notifier)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        let (admin, name) = (self.admin.clone(), self.name.clone());
        // A thread of its own, since a runtime cannot wait within itself.
        let dropped = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime")
                .block_on(async {
                    let mut conn = admin.connect().await?;
                    sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
                        .execute(&mut conn)
                        .await
                        .map(drop)
                })
        })
        .join();
        if !std::thread::panicking() {
            dropped.expect("no panic").expect("the database is dropped");
        }
    }
}

/// The name of a migrated database, made once per version of the migrations and cluster.
async fn template(admin: &PgConnectOptions) -> String {
    let migrator = millrace_queue::migrator();
    // Names are cut after 63 bytes.
    let mut hash = Sha256::new();
    for migration in migrator.iter() {
        hash.update(&*migration.checksum);
    }
    let version: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("queue_template_{version}");
    let mut conn = admin.connect().await.expect("the cluster answers");
    // Test processes and threads make it once.
    sqlx::query("select pg_advisory_lock(7122013)")
        .execute(&mut conn)
        .await
        .expect("locked");
    let there: bool =
        sqlx::query_scalar("select exists(select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut conn)
            .await
            .expect("readable");
    if !there {
        let making = format!("{name}_new");
        for sql in [
            format!("drop database if exists {making} with (force)"),
            format!("create database {making}"),
        ] {
            sqlx::query(AssertSqlSafe(sql))
                .execute(&mut conn)
                .await
                .expect("made");
        }
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_lazy_with(admin.clone().database(&making));
        millrace_queue::migrate(&pool).await.expect("migrated");
        pool.close().await;
        sqlx::query(AssertSqlSafe(format!(
            "alter database {making} rename to {name}"
        )))
        .execute(&mut conn)
        .await
        .expect("renamed");
    }
    conn.close().await.expect("closed");
    name
}

type StepHandler = Arc<dyn Fn(Step, Arc<Run>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// What the workers of a test do, and what it hears from them.
pub(crate) struct Bench {
    handler: StepHandler,
    mourned: mpsc::UnboundedSender<Mourn>,
    pub(crate) schedules: Vec<Schedule>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) mourners: mpsc::UnboundedReceiver<Mourn>,
}

impl Bench {
    pub(crate) fn new<F>(handler: impl Fn(Step, Arc<Run>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let (mourned, mourners) = mpsc::unbounded_channel();
        Self {
            handler: Arc::new(move |step, run| Box::pin(handler(step, run))),
            mourned,
            schedules: Vec::new(),
            limits: Vec::new(),
            mourners,
        }
    }

    pub(crate) fn registry(&self, pool: &PgPool) -> Registry<()> {
        let pool = pool.clone();
        let (handler, mourned) = (self.handler.clone(), self.mourned.clone());
        let mut registry = Registry::new()
            .register::<Step>(move |step, run, ()| handler(step, run))
            .register::<Mourn>(move |mourn, _run, ()| {
                mourned.send(mourn).expect("the test listens");
                Box::pin(async { Ok(millrace_queue::Done::Completed) })
            })
            .bulk("default", move |()| pool.clone());
        for schedule in &self.schedules {
            registry = registry.schedule(schedule.clone());
        }
        for limit in &self.limits {
            registry = registry.limit(limit.clone());
        }
        registry
    }

    /// What runs jobs in the test's own task.
    pub(crate) async fn runner(&self, db: &Db) -> Runner<()> {
        Runner::new(db.pool.clone(), self.registry(&db.pool), ())
            .await
            .expect("the runner starts")
    }

    pub(crate) async fn next_mourner(&mut self) -> Mourn {
        next(&mut self.mourners).await
    }
}

/// A worker of this process.
pub(crate) struct TestWorker {
    pub(crate) notifier: Notifier,
    stop: CancellationToken,
    running: JoinHandle<Drained>,
}

impl TestWorker {
    fn start(engine: Engine<()>, notifier: Notifier) -> Self {
        let stop = CancellationToken::new();
        Self {
            notifier,
            stop: stop.clone(),
            running: tokio::spawn(engine.run(stop)),
        }
    }

    pub(crate) async fn drain(self) -> Drained {
        self.stop.cancel();
        self.finish().await
    }

    /// Asks it to drain, and does not wait.
    pub(crate) fn begin_drain(&self) {
        self.stop.cancel();
    }

    pub(crate) async fn finish(self) -> Drained {
        timeout(PATIENCE, self.running)
            .await
            .expect("drained in time")
            .expect("no panic")
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.running.is_finished()
    }

    /// Stops everything at once without telling the database, as a crash does.
    pub(crate) async fn crash(self) {
        self.running.abort();
        assert!(self.running.await.is_err_and(|e| e.is_cancelled()));
    }
}

/// The next message, or the end of the test.
pub(crate) async fn next<T>(receiver: &mut mpsc::UnboundedReceiver<T>) -> T {
    timeout(PATIENCE, receiver.recv())
        .await
        .expect("in time")
        .expect("somebody sends")
}

/// A list that handlers write and the test reads.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<i64>>>);

impl Log {
    pub(crate) fn push(&self, n: i64) {
        self.0.lock().expect("not poisoned").push(n);
    }

    pub(crate) fn all(&self) -> Vec<i64> {
        self.0.lock().expect("not poisoned").clone()
    }
}

/// Runs one statement of the test's own.
pub(crate) async fn sql(conn: &mut PgConnection, text: &'static str) -> u64 {
    sqlx::query(text)
        .execute(conn)
        .await
        .expect("the statement is right")
        .rows_affected()
}
