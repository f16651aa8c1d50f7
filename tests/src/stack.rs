//! Everything that runs for one test: a database of its own, a store, workers, and the api.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_bus::Notifier;
use millrace_domain::storage::Storage;
use millrace_local::{
    s3::{S3Options, S3Server},
    sandbox::{Sandbox, SandboxOptions},
};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, SemaphorePermit},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use toml::Value;

use crate::{
    Exit, Person, Worker,
    database::Database,
    settings::Settings,
    store::{ACCESS_KEY, BUCKET, SECRET_KEY},
    until, worker,
};

/// Tests that encode run one at a time, so that their deadlines hold on two cores.
pub(crate) static ENCODERS: Semaphore = Semaphore::const_new(1);

/// What the payment sandbox of a test knows us by, and signs with.
const PAYMENTS_KEY: &str = "sk_test_only_for_tests";
const WEBHOOK_SECRET: &str = "whsec_only_for_tests_and_nothing_else";
/// How long the API may take to start.
const API_WITHIN: Duration = Duration::from_secs(20);
/// How long the queue may take to empty itself: journeys leave whole ladders behind, on a machine that others use, too.
const QUIET_WITHIN: Duration = Duration::from_secs(240);

/// What differs from the usual stack.
#[derive(Debug, Default)]
pub struct StackOptions {
    settings: Settings,
    light: bool,
    deaf: bool,
}

/// The running stack. Call [`Stack::end`] at the end of the test.
pub struct Stack {
    pub db: PgPool,
    pub storage: Storage,
    pub notifier: Notifier,
    database: Option<Database>,
    settings: Settings,
    folder: TempDir,
    shutdown: CancellationToken,
    store: JoinHandle<()>,
    api: JoinHandle<Result<()>>,
    address: String,
    store_address: String,
    sandbox_address: String,
    sandbox: Option<Sandbox>,
    /// Process ids of all workers that were started.
    workers: Mutex<Vec<i32>>,
    _turn: Option<SemaphorePermit<'static>>,
}

impl StackOptions {
    /// With this setting, for the api and all workers.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.set(name, value);
        self
    }

    /// Without waiting for other tests: this one encodes next to nothing.
    #[must_use]
    pub fn light(self) -> Self {
        Self {
            light: true,
            ..self
        }
    }

    /// With a database in which no notification ever arrives.
    #[must_use]
    pub fn deaf(self) -> Self {
        Self { deaf: true, ..self }
    }

    /// Starts everything but workers.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start(self) -> Result<Stack> {
        let turn = if self.light {
            None
        } else {
            Some(ENCODERS.acquire().await?)
        };
        let folder = tempfile::Builder::new().prefix("millrace-e2e-").tempdir()?;
        let work = folder.path().join("work");
        std::fs::create_dir(&work)?;
        for passable in [folder.path(), &work] {
            // ffmpeg runs as another user and must get through to its own folder.
            std::fs::set_permissions(passable, std::fs::Permissions::from_mode(0o711))?;
        }
        let shutdown = CancellationToken::new();
        let database = Database::create().await?;
        if self.deaf {
            database.deafen().await?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}", listener.local_addr()?);
        let store = bind_store(folder.path(), &address).await?;
        let mut settings = Settings::usual(&database.url, &work, &store.addr.to_string());
        settings.set("server.listen", listener.local_addr()?.to_string());
        settings.set("server.public_url", address.clone());
        let sandbox = Sandbox::start(SandboxOptions {
            listen: ([127, 0, 0, 1], 0).into(),
            secret_key: PAYMENTS_KEY.to_owned(),
            webhook_secret: WEBHOOK_SECRET.to_owned(),
            webhook_url: format!("{address}/api/payments/webhooks/sandbox"),
            folder: None,
        })
        .await?;
        for (name, value) in [
            ("payments.provider", "sandbox".to_owned()),
            ("payments.endpoint", format!("http://{}", sandbox.addr())),
            ("payments.secret_key", PAYMENTS_KEY.to_owned()),
            ("payments.webhook_secret", WEBHOOK_SECRET.to_owned()),
        ] {
            settings.set(name, value);
        }
        settings.merge(&self.settings);
        let config = settings.config()?;
        let storage = Storage::new(&millrace_jobs::storage_options(&config));
        let (_, direct) = millrace_jobs::database_options(&config)?;
        let notifier = Notifier::start(direct, shutdown.clone());
        let store_address = store.addr.to_string();
        let store = tokio::spawn(store.run(shutdown.clone()));
        let api = tokio::spawn(millrace_api::run(config, listener, shutdown.clone()));
        let db = database.pool.clone();
        let database = Some(database);
        let _turn = turn;
        let stack = Stack {
            db,
            storage,
            notifier,
            database,
            settings,
            folder,
            shutdown,
            store,
            api,
            address,
            store_address,
            sandbox_address: format!("http://{}", sandbox.addr()),
            sandbox: Some(sandbox),
            workers: Mutex::default(),
            _turn,
        };
        // The listener takes connections already; the first answer says that the API runs.
        let health = Person::stranger(&stack)?;
        until("the API answers", API_WITHIN, async || {
            anyhow::ensure!(!stack.api.is_finished(), "the API ended at once");
            Ok(health
                .get("/health")
                .await
                .ok()
                .filter(|answer| answer.status == 200))
        })
        .await?;
        Ok(stack)
    }
}

impl Stack {
    /// The usual stack, changed before it starts.
    pub fn with() -> StackOptions {
        StackOptions::default()
    }

    /// A stack whose workers are given up for dead after 3 s.
    pub fn with_short_leases() -> StackOptions {
        Self::with()
            .set("worker.lease", "3s")
            .set("worker.heartbeat", "500ms")
            .set("worker.poll", "500ms")
    }

    /// The usual stack.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start() -> Result<Self> {
        Self::with().start().await
    }

    /// Where the API is: `http://127.0.0.1:` and its port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where the store is: host and port.
    pub fn store_address(&self) -> &str {
        &self.store_address
    }

    /// Where the payment sandbox is: `http://127.0.0.1:` and its port.
    pub fn sandbox(&self) -> &str {
        &self.sandbox_address
    }

    /// A folder that goes with the stack.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a worker with these settings on top, and nothing else, to its end.
    ///
    /// # Errors
    /// That it cannot be started, or does not end within `deadline`.
    pub async fn worker_that_ends(
        &self,
        settings: &[(&str, &str)],
        deadline: Duration,
    ) -> Result<Exit> {
        Exit::of(&self.variables(settings), deadline).await
    }

    /// Starts a worker that may have to wait before it is at work.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn worker_that_waits(&self, name: &str, settings: &[(&str, &str)]) -> Result<Worker> {
        let worker = Worker::spawn(self.folder.path(), name, &[], &self.variables(settings))?;
        self.workers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(worker.pid());
        Ok(worker)
    }

    pub(crate) fn variables(&self, settings: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut all = self.settings.clone();
        for (key, value) in settings {
            all.set(key, *value);
        }
        all.variables()
    }

    /// Starts a worker with the usual queues.
    ///
    /// # Errors
    /// That it did not come up.
    pub async fn worker(&self, name: &str) -> Result<Worker> {
        self.worker_with(name, &[]).await
    }

    /// Starts a worker with these settings on top, such as `("worker.queues", "media=1")`.
    ///
    /// # Errors
    /// That it did not come up.
    pub async fn worker_with(&self, name: &str, settings: &[(&str, &str)]) -> Result<Worker> {
        let mut worker = self.worker_that_waits(name, settings)?;
        worker.at_work(&self.db, Duration::from_secs(20)).await?;
        Ok(worker)
    }

    /// The live jobs, a line each, for messages.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn jobs(&self) -> Result<String> {
        let lines: Vec<String> = sqlx::query_scalar(
            "select format('%s %s attempt=%s crashes=%s run=%s %s %s', kind, state, attempt, crash_count, run_no, args, errors)
               from queue.job order by id",
        )
        .fetch_all(&self.db)
        .await?;
        Ok(format!("{} live jobs\n{}", lines.len(), lines.join("\n")))
    }

    /// Waits until no job is live.
    ///
    /// # Errors
    /// That some stay, and which.
    pub async fn quiet(&self) -> Result<()> {
        let quiet = until("the queue is empty", QUIET_WITHIN, async || {
            let live: i64 = sqlx::query_scalar("select count(*) from queue.job")
                .fetch_one(&self.db)
                .await?;
            Ok((live == 0).then_some(()))
        });
        match quiet.await {
            Ok(()) => Ok(()),
            Err(error) => Err(error.context(self.jobs().await?)),
        }
    }

    /// Checks that the queue is empty and stops everything, workers included.
    ///
    /// # Errors
    /// That jobs are left.
    pub async fn end(self) -> Result<()> {
        self.quiet().await?;
        self.abandon().await
    }

    /// Stops everything, whatever is in the queue.
    ///
    /// # Errors
    /// That something did not stop.
    pub async fn abandon(mut self) -> Result<()> {
        // First: they use the rest, and what they write would outlive the folder.
        let workers = std::mem::take(
            self.workers
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for pid in workers {
            worker::kill_if_running(pid).await?;
        }
        self.shutdown.cancel();
        (&mut self.api)
            .await
            .context("the API panicked")?
            .context("the API failed")?;
        (&mut self.store).await.context("the store panicked")?;
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.stop().await;
        }
        match self.database.take() {
            Some(database) => database.drop().await,
            None => Ok(()),
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if self.database.is_none() {
            return;
        }
        // The test failed: what the processes wrote is worth reading.
        show_logs(self.folder.path());
    }
}

/// Prints the ends of the logs in a folder.
pub(crate) fn show_logs(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(80).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!("--- {}\n{}", path.display(), tail.join("\n"));
        }
    }
}

async fn bind_store(folder: &Path, origin: &str) -> Result<S3Server> {
    let options = S3Options {
        data_dir: folder.join("store"),
        addr: "127.0.0.1:0".parse()?,
        buckets: vec![BUCKET.to_owned()],
        access_key: ACCESS_KEY.to_owned(),
        secret_key: SECRET_KEY.to_owned(),
        cors_origins: vec![origin.to_owned()],
    };
    Ok(S3Server::bind(options).await?)
}
