//! The running server.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, timeout};

use super::cluster::Cluster;
use super::error::PostgresError;
use super::socket::PORT;

/// Recovery after a crash replays the log and may take its time.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// How long a server whose Millrace was killed may take to end.
const PREDECESSOR: Duration = Duration::from_secs(15);
/// PostgreSQL announces readiness in a file only.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// A log that is larger at start is begun anew.
const LARGEST_LOG: u64 = 10 * 1024 * 1024;

/// How the cluster is run.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// Millrace's data directory; the cluster is in `postgres` below it, or elsewhere (see [`Postgres::moved`]).
    pub data_dir: PathBuf,
    /// MILLRACE_PG_BIN. `None`: the newest installed.
    pub bin_dir: Option<PathBuf>,
    /// Settings on top of ours, such as `("fsync", "off")` in tests.
    pub settings: Vec<(String, String)>,
}

/// A PostgreSQL server that takes connections. Dropped, it is told to shut down, but not awaited.
#[derive(Debug)]
pub struct Postgres {
    pid: Pid,
    cluster: Cluster,
    /// How it ended, once it did.
    ended: watch::Receiver<Option<String>>,
}

impl Postgres {
    /// Starts the cluster, creating it when it does not exist, and waits until it takes connections.
    ///
    /// # Errors
    /// One line that says what to do.
    pub async fn start(options: PostgresOptions) -> Result<Self, PostgresError> {
        let PostgresOptions {
            data_dir,
            bin_dir,
            settings,
        } = options;
        let prepared =
            tokio::task::spawn_blocking(move || Cluster::prepare(&data_dir, bin_dir.as_deref()));
        let cluster = prepared
            .await
            .map_err(|error| PostgresError::Initdb(error.to_string()))??;
        await_predecessor(&cluster).await?;

        let log = open_log(&cluster.log).map_err(|source| PostgresError::Folder {
            folder: cluster.log.clone(),
            source,
        })?;
        let command = server_command(&cluster, &settings, log)?;
        let (pid, ended) = spawn(command)
            .await
            .map_err(|source| PostgresError::Spawn {
                binary: cluster.binaries.program("postgres"),
                source,
            })?;
        let server = Self {
            pid,
            cluster,
            ended,
        };
        server.await_ready().await?;
        Ok(server)
    }

    /// How to connect to a database of the cluster.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.cluster.socket)
            .port(PORT)
            .username("postgres")
            .database(database)
    }

    /// The same as a URL, for settings and for psql.
    pub fn url(&self, database: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("host", &self.cluster.socket.to_string_lossy());
        format!(
            "postgres://postgres@localhost/{database}?{}",
            query.finish()
        )
    }

    /// Where the data is.
    pub fn folder(&self) -> &Path {
        &self.cluster.folder
    }

    /// Where the server writes its log.
    pub fn log(&self) -> &Path {
        &self.cluster.log
    }

    /// The cluster is in `/var/lib/millrace`, because its user cannot reach the data directory.
    pub fn moved(&self) -> bool {
        self.cluster.moved
    }

    /// Creates a database unless it exists.
    ///
    /// # Errors
    /// As PostgreSQL says.
    pub async fn create_database(&self, name: &str) -> Result<(), sqlx::Error> {
        let mut connection = PgConnection::connect_with(&self.connect_options("postgres")).await?;
        let exists: bool =
            sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
                .bind(name)
                .fetch_one(&mut connection)
                .await?;
        if !exists {
            let quoted = name.replace('"', "\"\"");
            let create = format!("create database \"{quoted}\"");
            sqlx::raw_sql(AssertSqlSafe(create))
                .execute(&mut connection)
                .await?;
        }
        connection.close().await
    }

    /// Waits until the server ends and says how. It should not, before [`Postgres::stop`].
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.clone();
        let how = ended.wait_for(Option::is_some).await;
        how.ok()
            .and_then(|how| how.clone())
            .unwrap_or_else(|| "its thread ended".into())
    }

    /// Shuts the server down: connections are cut, everything is written, no process remains.
    pub async fn stop(self) {
        for (signal, patience) in [
            (Signal::SIGINT, 30),
            (Signal::SIGQUIT, 10),
            (Signal::SIGKILL, 10),
        ] {
            self.signal(signal);
            if timeout(Duration::from_secs(patience), self.ended())
                .await
                .is_ok()
            {
                return;
            }
            tracing::warn!("PostgreSQL did not end {patience} s after {signal}");
        }
    }

    async fn await_ready(&self) -> Result<(), PostgresError> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            let file = PidFile::read(&self.cluster.folder);
            if file.is_some_and(|file| file.pid == self.pid && file.ready) {
                return Ok(());
            }
            if self.ended.borrow().is_some() {
                let how = self.ended().await;
                let reason = last_complaint(&self.cluster.log).unwrap_or(how);
                return Err(PostgresError::Ended {
                    reason,
                    log: self.cluster.log.clone(),
                });
            }
            if Instant::now() > deadline {
                return Err(PostgresError::NotReady {
                    seconds: READY_WITHIN.as_secs(),
                    log: self.cluster.log.clone(),
                });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn signal(&self, signal: Signal) {
        // Once the thread has reaped the child, its id may belong to somebody else.
        if self.ended.borrow().is_none()
            && let Err(error) = kill(self.pid, signal)
        {
            tracing::debug!(%error, "PostgreSQL could not be signalled");
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.signal(Signal::SIGINT);
    }
}

/// The lines of postmaster.pid that matter.
struct PidFile {
    pid: Pid,
    ready: bool,
}

impl PidFile {
    fn read(cluster: &Path) -> Option<Self> {
        let text = fs::read_to_string(cluster.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = Pid::from_raw(lines.next()?.trim().parse().ok()?);
        let ready = lines.nth(6).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, ready })
    }
}

/// After a kill of Millrace, its PostgreSQL is still shutting down: wait for it. A stale file whose process id now
/// belongs to another program is removed, because PostgreSQL itself would refuse to start.
async fn await_predecessor(cluster: &Cluster) -> Result<(), PostgresError> {
    let deadline = Instant::now() + PREDECESSOR;
    while let Some(PidFile { pid, .. }) = PidFile::read(&cluster.folder) {
        if !serves(pid, &cluster.folder) {
            let _absent_is_fine = fs::remove_file(cluster.folder.join("postmaster.pid"));
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(PostgresError::AlreadyRunning {
                folder: cluster.folder.clone(),
                pid: pid.as_raw(),
            });
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// Whether the process is a PostgreSQL server of this cluster.
fn serves(pid: Pid, cluster: &Path) -> bool {
    if kill(pid, None) == Err(nix::errno::Errno::ESRCH) {
        return false;
    }
    if cfg!(target_os = "linux") {
        // A server's working directory is its cluster.
        return match fs::read_link(format!("/proc/{pid}/cwd")) {
            Ok(folder) => folder == cluster,
            Err(error) => error.kind() == std::io::ErrorKind::PermissionDenied,
        };
    }
    let ps = Command::new("ps")
        .args(["-o", "comm=", "-p", &pid.to_string()])
        .output();
    ps.is_ok_and(|ps| String::from_utf8_lossy(&ps.stdout).contains("postgres"))
}

fn server_command(
    cluster: &Cluster,
    settings: &[(String, String)],
    log: File,
) -> Result<Command, PostgresError> {
    let mut command = cluster.command("postgres");
    let socket = cluster.socket.to_string_lossy().replace('"', "\"\"");
    let ours = [
        ("listen_addresses", String::new()),
        ("unix_socket_directories", format!("\"{socket}\"")),
        ("unix_socket_permissions", "0700".into()),
        ("port", PORT.to_string()),
        // An api, several workers and the tests' databases at once; an idle connection costs about 2 MB.
        ("max_connections", "200".into()),
        ("shared_buffers", "128MB".into()),
        ("random_page_cost", "1.1".into()),
        ("timezone", "UTC".into()),
        ("log_timezone", "UTC".into()),
        ("logging_collector", "off".into()),
        ("log_checkpoints", "off".into()),
    ];
    command.arg("-D").arg(&cluster.folder);
    for (name, value) in ours {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    let errors = log.try_clone().map_err(|source| PostgresError::Folder {
        folder: cluster.log.clone(),
        source,
    })?;
    command.stdout(log).stderr(errors);
    Ok(command)
}

/// Spawns the server on a thread that lives as long as it does: the signal on the parent's death follows the thread.
async fn spawn(mut command: Command) -> std::io::Result<(Pid, watch::Receiver<Option<String>>)> {
    let (started, start) = oneshot::channel();
    let (end, ended) = watch::channel(None);
    thread::Builder::new()
        .name("postgres".into())
        .spawn(move || {
            let mut child = match command.spawn() {
                Ok(child) => child,
                Err(error) => return started.send(Err(error)).unwrap_or_default(),
            };
            let pid = i32::try_from(child.id())
                .map(Pid::from_raw)
                .map_err(std::io::Error::other);
            let _receiver_may_be_gone = started.send(pid);
            let how = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            end.send_replace(Some(how));
        })?;
    let pid = start.await.map_err(std::io::Error::other)??;
    Ok((pid, ended))
}

fn open_log(path: &Path) -> std::io::Result<File> {
    let large = path.metadata().is_ok_and(|found| found.len() > LARGEST_LOG);
    let mut options = OpenOptions::new();
    // Statements stand in it: for this user only.
    options.create(true).write(true).mode(0o600);
    // O_APPEND either way would keep old text in front; a large log is begun anew instead.
    if large {
        options.truncate(true)
    } else {
        options.append(true)
    };
    options.open(path)
}

/// The last thing the server complained about.
fn last_complaint(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    let fatal = text
        .lines()
        .rev()
        .take(50)
        .find(|line| line.contains("FATAL:") || line.contains("PANIC:"));
    Some(fatal?.split_once(": ")?.1.trim().into())
}
