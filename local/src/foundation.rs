//! What `millrace up` stands on: the private PostgreSQL, the storage server, the SMTP sink and the payment sandbox, and the
//! settings that lead to them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use millrace_config::{Config, ConfigError};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use toml::{Table, Value};

use crate::account::Account;
use crate::mail::{MailSink, MailSinkError, MailSinkOptions};
use crate::place::{place, private_folder};
use crate::ports::{PortError, Ports, local};
use crate::postgres::{Postgres, PostgresError, PostgresOptions};
use crate::s3::{S3Options, S3Server, S3ServerError};
use crate::sandbox::{Sandbox, SandboxError, SandboxOptions};
use crate::secrets::{Secrets, write_private};

/// The database's name in the private cluster.
const DATABASE: &str = "millrace";
/// The settings of a running stack, for commands in other terminals.
const SETTINGS: &str = "settings.toml";
/// Objects of the storage server.
const STORAGE: &str = "storage";

/// Mail that the sink took.
const MAIL: &str = "mail";
/// Where the payment sandbox tells of payments.
const WEBHOOK: &str = "/api/payments/webhooks/sandbox";
/// What the payment sandbox remembers.
const SANDBOX: &str = "sandbox";

/// What to start.
#[derive(Debug, Clone)]
pub struct FoundationOptions {
    pub data_dir: PathBuf,
    pub ports: Ports,
    /// MILLRACE_PG_BIN.
    pub pg_bin: Option<PathBuf>,
}

/// Why the foundation could not be laid.
#[derive(Debug, thiserror::Error)]
pub enum FoundationError {
    #[error("cannot use {} as the data directory", folder.display())]
    DataDir { folder: PathBuf, source: io::Error },
    #[error("another Millrace is using the data directory {}", .0.display())]
    InUse(PathBuf),
    #[error(transparent)]
    Port(#[from] PortError),
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    #[error("failed to create the database")]
    Database(#[source] sqlx::Error),
    #[error(transparent)]
    Storage(#[from] S3ServerError),
    #[error(transparent)]
    Mail(#[from] MailSinkError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the configuration was refused: {0}")]
    Config(ConfigError),
}

/// The running foundation.
pub struct Foundation {
    pub postgres: Postgres,
    pub config: Config,
    pub secrets: Secrets,
    pub storage: SocketAddr,
    /// The page of the mail that the sink took.
    pub mailbox: SocketAddr,
    sandbox: Sandbox,
    /// Where the sink takes mail.
    smtp_url: String,
    data_dir: PathBuf,
    stop_servers: CancellationToken,
    storing: JoinHandle<()>,
    posting: JoinHandle<()>,
    /// Its lock ends with the process, however it ends.
    _lock: File,
}

impl Foundation {
    /// Starts PostgreSQL, the storage server, the SMTP sink and the payment sandbox, and reads the configuration that leads to them.
    ///
    /// # Errors
    /// One line; nothing is left running.
    pub async fn start(options: FoundationOptions) -> Result<Self, FoundationError> {
        let FoundationOptions {
            data_dir,
            ports,
            pg_bin,
        } = options;
        let unusable = |source| FoundationError::DataDir {
            folder: data_dir.clone(),
            source,
        };
        fs::create_dir_all(&data_dir).map_err(unusable)?;
        let data_dir = data_dir.canonicalize().map_err(unusable)?;
        let lock = lock(&data_dir)?;
        ports.check()?;
        let secrets = Secrets::load_or_create(&data_dir).map_err(unusable)?;
        let work_dir = media_work_dir(&data_dir).map_err(unusable)?;
        private_folder(&data_dir.join(STORAGE), None).map_err(unusable)?;

        let postgres = PostgresOptions {
            data_dir: data_dir.clone(),
            bin_dir: pg_bin,
            settings: Vec::new(),
        };
        let postgres = Postgres::start(postgres).await?;
        let laid = async {
            postgres
                .create_database(DATABASE)
                .await
                .map_err(FoundationError::Database)?;
            let settings = settings(&postgres, &secrets, ports, &work_dir);
            let config = Config::load_over(settings.clone()).map_err(FoundationError::Config)?;
            let text = toml::to_string(&settings).map_err(io::Error::other);
            text.and_then(|text| write_private(&data_dir.join(SETTINGS), &text))
                .map_err(unusable)?;
            let server =
                S3Server::bind(storage_options(&data_dir, &secrets, ports, &config)).await?;
            let sink = MailSink::bind(MailSinkOptions {
                data_dir: data_dir.join(MAIL),
                smtp: local(ports.smtp),
                page: local(ports.mailbox),
            })
            .await?;
            let sandbox = Sandbox::start(SandboxOptions {
                listen: local(ports.sandbox),
                secret_key: secrets.payments_secret_key.clone(),
                webhook_secret: secrets.payments_webhook_secret.clone(),
                webhook_url: format!("http://{}{WEBHOOK}", local(ports.web)),
                folder: Some(data_dir.join(SANDBOX)),
            })
            .await?;
            Ok((config, server, sink, sandbox))
        };
        let (config, server, sink, sandbox) = match laid.await {
            Ok(laid) => laid,
            Err(error) => {
                postgres.stop().await;
                return Err(error);
            }
        };
        let stop_servers = CancellationToken::new();
        let (storage, mailbox) = (server.addr, sink.page);
        let storing = tokio::spawn(server.run(stop_servers.clone()));
        let posting = tokio::spawn(sink.run(stop_servers.clone()));
        Ok(Self {
            postgres,
            config,
            secrets,
            storage,
            mailbox,
            sandbox,
            smtp_url: smtp_url(ports),
            data_dir,
            stop_servers,
            storing,
            posting,
            _lock: lock,
        })
    }

    /// The data directory, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Whether mail goes to the sink. The environment may lead elsewhere.
    pub fn mail_stays_here(&self) -> bool {
        self.config.email.smtp_url.expose() == self.smtp_url
    }

    /// Stops the sandbox, the storage server and the sink, then PostgreSQL.
    pub async fn stop(self) {
        // Other commands would only fail to connect to what is about to end.
        let _absent_is_fine = fs::remove_file(self.data_dir.join(SETTINGS));
        self.stop_servers.cancel();
        self.sandbox.stop().await;
        for server in [self.storing, self.posting] {
            if let Err(error) = server.await {
                tracing::error!(%error, "a server of the stack ended badly");
            }
        }
        self.postgres.stop().await;
    }
}

/// The settings that lead to the stack of a data directory, when one is running there.
pub fn settings_of_running(data_dir: &Path) -> Option<Table> {
    let text = fs::read_to_string(data_dir.join(SETTINGS)).ok()?;
    text.parse().ok()
}

fn lock(data_dir: &Path) -> Result<File, FoundationError> {
    let unusable = |source| FoundationError::DataDir {
        folder: data_dir.into(),
        source,
    };
    let file = File::create(data_dir.join("lock")).map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FoundationError::InUse(data_dir.into())),
        Err(TryLockError::Error(source)) => Err(unusable(source)),
    }
}

/// Where ffmpeg works, reachable by the user it runs as. The folder above is open to pass through; each job makes a
/// private one inside.
fn media_work_dir(data_dir: &Path) -> io::Result<PathBuf> {
    let account = Account::for_media("nobody");
    let work = place(data_dir, "work", account.as_ref())?.folder;
    match &account {
        Some(_) => {
            use std::os::unix::fs::PermissionsExt;
            fs::create_dir_all(&work)?;
            fs::set_permissions(&work, fs::Permissions::from_mode(0o711))?;
        }
        None => private_folder(&work, None)?,
    }
    remove_leftovers(&work)?;
    Ok(work)
}

/// Removes what workers left that were killed: `worker-{pid}` of processes that are no more.
fn remove_leftovers(work: &Path) -> io::Result<()> {
    for entry in fs::read_dir(work)? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix("worker-")?.parse().ok());
        if pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn storage_options(data_dir: &Path, secrets: &Secrets, ports: Ports, config: &Config) -> S3Options {
    let mut cors_origins = vec![config.server.public_url.origin().ascii_serialization()];
    cors_origins.extend(config.server.allowed_origins.iter().cloned());
    S3Options {
        data_dir: data_dir.join(STORAGE),
        addr: local(ports.storage),
        buckets: vec![config.storage.bucket.clone()],
        access_key: secrets.storage_access_key.clone(),
        secret_key: secrets.storage_secret_key.clone(),
        cors_origins,
    }
}

fn smtp_url(ports: Ports) -> String {
    format!("smtp://{}?tls=none", local(ports.smtp))
}

fn settings(postgres: &Postgres, secrets: &Secrets, ports: Ports, work_dir: &Path) -> Table {
    let endpoint = format!("http://{}", local(ports.storage));
    let sections = [
        (
            "server",
            vec![
                ("listen", local(ports.web).to_string()),
                ("public_url", format!("http://{}", local(ports.web))),
                ("metrics_listen", local(ports.api_metrics).to_string()),
            ],
        ),
        (
            "worker",
            vec![
                ("health_listen", local(ports.worker).to_string()),
                // Who presses Ctrl-C waits for it. What is not done by then is given back at no charge, and its
                // closed segments are kept.
                ("drain_timeout", "3s".to_owned()),
            ],
        ),
        ("database", vec![("url", postgres.url(DATABASE))]),
        (
            "storage",
            vec![
                ("endpoint", endpoint.clone()),
                ("public_endpoint", endpoint),
                ("access_key", secrets.storage_access_key.clone()),
                ("secret_key", secrets.storage_secret_key.clone()),
            ],
        ),
        (
            "auth",
            vec![
                ("signing_key", secrets.auth_signing_key.clone()),
                ("sealing_key", secrets.auth_sealing_key.clone()),
            ],
        ),
        (
            "playback",
            vec![("signing_key", secrets.playback_signing_key.clone())],
        ),
        (
            "email",
            vec![
                ("smtp_url", smtp_url(ports)),
                ("from", "Millrace <millrace@millrace.localhost>".to_owned()),
                ("signing_key", secrets.email_signing_key.clone()),
            ],
        ),
        (
            "payments",
            vec![
                ("provider", "sandbox".to_owned()),
                ("endpoint", format!("http://{}", local(ports.sandbox))),
                ("secret_key", secrets.payments_secret_key.clone()),
                ("webhook_secret", secrets.payments_webhook_secret.clone()),
            ],
        ),
        (
            "media",
            vec![("work_dir", work_dir.to_string_lossy().into_owned())],
        ),
        // People read this terminal: only what someone must look at.
        ("log", vec![("filter", "warn".to_owned())]),
    ];
    let mut table = Table::new();
    for (name, keys) in sections {
        let section: Table = keys
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Value::String(value)))
            .collect();
        table.insert(name.to_owned(), Value::Table(section));
    }
    if let Some(Value::Table(storage)) = table.get_mut("storage") {
        storage.insert("path_style".to_owned(), Value::Boolean(true));
    }
    table
}
