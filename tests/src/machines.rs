//! Everything as processes that can be killed: a PostgreSQL cluster, an S3 server, the api and workers of one test, each
//! on its own.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use millrace_domain::storage::Storage;
use rand::RngExt as _;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::sync::SemaphorePermit;
use toml::Value;

use crate::{
    Person, Worker,
    cluster::Cluster,
    program::{Program, command},
    proxy::{Proxy, Server},
    settings::Settings,
    stack::{ENCODERS, show_logs},
    until,
};

/// How long a process may take to answer after it was started.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// What differs from the usual machines.
#[derive(Debug, Default)]
pub struct MachinesOptions {
    settings: Settings,
    proxied: bool,
    durable: bool,
}

/// The processes. Call [`Machines::stop`] at the end.
pub struct Machines {
    /// Past all proxies.
    pub db: PgPool,
    /// Past all proxies.
    pub storage: Storage,
    /// Between the workers and the api on one side and the database on the other, if it was asked for.
    pub to_database: Option<Proxy>,
    /// Between the workers and the api on one side and the store on the other, if it was asked for. People reach the store
    /// directly.
    pub to_store: Option<Proxy>,
    pub api: Program,
    store: Program,
    cluster: Option<Cluster>,
    settings: Settings,
    folder: TempDir,
    address: String,
    store_address: String,
    _turn: SemaphorePermit<'static>,
}

impl MachinesOptions {
    /// With this setting, for the api and all workers.
    #[must_use]
    pub fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.settings.set(name, value);
        self
    }

    /// With proxies before the database and the store.
    #[must_use]
    pub fn proxied(self) -> Self {
        Self {
            proxied: true,
            ..self
        }
    }

    /// With a database that survives a power cut, as in production: for measurements.
    #[must_use]
    pub fn durable(self) -> Self {
        Self {
            durable: true,
            ..self
        }
    }

    /// Starts everything but workers.
    ///
    /// # Errors
    /// What could not be started.
    pub async fn start(self) -> Result<Machines> {
        let turn = ENCODERS.acquire().await?;
        let folder = tempfile::Builder::new()
            .prefix("millrace-machines-")
            .tempdir()?;
        let work = folder.path().join("work");
        std::fs::create_dir(&work)?;
        for passable in [folder.path(), &work] {
            // PostgreSQL and ffmpeg run as other users and must get through to their own folders.
            std::fs::set_permissions(passable, std::fs::Permissions::from_mode(0o711))?;
        }
        let cluster = Cluster::start(folder.path(), self.durable).await?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let address = format!("http://{listen}");
        let store_address = format!("127.0.0.1:{}", free_port()?);
        let store = start_store(folder.path(), &store_address, &address)?;

        let (mut to_database, mut to_store) = (None, None);
        let mut database = cluster.url.clone();
        let mut settings = Settings::usual(&database, &work, &store_address);
        if self.proxied {
            let proxy = Proxy::open(Server::Unix(cluster.socket()?), "COMMIT").await?;
            let mut url = url::Url::parse(&database)?;
            url.set_query(Some("sslmode=disable"));
            database = url.as_str().replacen("localhost", &proxy.address, 1);
            settings.set("database.url", database);
            to_database = Some(proxy);
            let proxy = Proxy::open(Server::Tcp(store_address.clone()), "PUT /").await?;
            settings.set("storage.endpoint", format!("http://{}", proxy.address));
            to_store = Some(proxy);
        }
        settings.set("server.listen", listen);
        settings.set("server.public_url", address.clone());
        // Whoever starts while something else is down waits for it, as under a supervisor.
        settings.set("worker.wait_for_dependencies", true);
        settings.merge(&self.settings);
        let mut direct = settings.clone();
        direct.set("storage.endpoint", format!("http://{store_address}"));
        let storage = Storage::new(&millrace_jobs::storage_options(&direct.config()?));
        let api = start_api(folder.path(), &settings)?;
        let machines = Machines {
            db: cluster.pool.clone(),
            storage,
            to_database,
            to_store,
            api,
            store,
            cluster: Some(cluster),
            settings,
            folder,
            address,
            store_address,
            _turn: turn,
        };
        machines.answer().await?;
        Ok(machines)
    }
}

impl Machines {
    /// The usual ones, changed before they start.
    pub fn with() -> MachinesOptions {
        MachinesOptions::default()
    }

    /// Where the API is: `http://127.0.0.1:` and its port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A folder that goes with the machines.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the store keeps its objects.
    pub fn store_folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// What the api and the workers read from their environment.
    pub fn variables(&self) -> Vec<(String, String)> {
        self.settings.variables()
    }

    /// Waits until the API and the store answer.
    ///
    /// # Errors
    /// That they do not.
    pub async fn answer(&self) -> Result<()> {
        let stranger = Person::stranger_at(&self.address)?;
        until("the API and the store answer", UP_WITHIN, async || {
            let api = stranger.get("/health").await;
            let api = api.is_ok_and(|answer| answer.status == 200);
            Ok((api && self.storage.check().await.is_ok()).then_some(()))
        })
        .await
    }

    /// Starts a worker, started by `before` (such as `taskset -c 0`), with these settings on top. It waits for what is down.
    ///
    /// # Errors
    /// That it cannot be started.
    pub fn worker(&self, name: &str, before: &[&str], settings: &[(&str, &str)]) -> Result<Worker> {
        let mut all = self.settings.clone();
        for (key, value) in settings {
            all.set(key, *value);
        }
        Worker::spawn(self.folder.path(), name, before, &all.variables())
    }

    /// kill -9 of the api, and another one.
    ///
    /// # Errors
    /// Those of the system.
    pub fn replace_api(&mut self) -> Result<()> {
        self.api.kill()?;
        self.api = start_api(self.folder.path(), &self.settings)?;
        Ok(())
    }

    /// kill -9 of the S3 server, and another one on the same objects.
    ///
    /// # Errors
    /// Those of the system.
    pub fn replace_store(&mut self) -> Result<()> {
        self.store.kill()?;
        self.store = start_store(self.folder.path(), &self.store_address, &self.address)?;
        Ok(())
    }

    /// Crashes the database (`-m immediate`) and starts it again.
    ///
    /// # Errors
    /// That it does not recover.
    pub async fn crash_database(&mut self) -> Result<()> {
        let cluster = self.cluster.as_mut().context("the cluster is gone")?;
        cluster.crash_and_restart().await
    }

    /// Checks that nothing ended by itself.
    ///
    /// # Errors
    /// What did.
    pub fn all_run(&mut self) -> Result<()> {
        for (name, program) in [("api", &mut self.api), ("store", &mut self.store)] {
            if let Some(status) = program.status()? {
                anyhow::bail!("the {name} ended by itself: {status}");
            }
        }
        Ok(())
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
    pub async fn quiet(&self, deadline: Duration) -> Result<()> {
        let quiet = until("the queue is empty", deadline, async || {
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

    /// Asks the api and the store to end, and stops the cluster. Workers go first: they are the caller's.
    ///
    /// # Errors
    /// That one of them does not end well.
    pub async fn stop(mut self) -> Result<()> {
        for program in [&mut self.api, &mut self.store] {
            program.terminate()?;
            let status = program.ended(UP_WITHIN).await?;
            anyhow::ensure!(status.success(), "{status}\n{}", program.log());
        }
        if let Some(cluster) = self.cluster.take() {
            cluster.stop().await;
        }
        Ok(())
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        if self.cluster.is_some() {
            show_logs(self.folder.path());
        }
    }
}

fn start_api(folder: &Path, settings: &Settings) -> Result<Program> {
    let command = command("millrace-api", &[], &settings.variables())?;
    Program::spawn(command, &folder.join("api.log"))
}

fn start_store(folder: &Path, address: &str, origin: &str) -> Result<Program> {
    let mut command = command("s3_server", &[], &[])?;
    command.arg(folder.join("store")).args([address, origin]);
    Program::spawn(command, &folder.join("store.log"))
}

/// A port that nobody else is given while its server is down: below those that the system hands out.
///
/// # Errors
/// That there is none.
pub fn free_port() -> Result<u16> {
    let mut random = rand::rng();
    for _ in 0..100 {
        let port = random.random_range(20_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    anyhow::bail!("there is no free port")
}
