//! A PostgreSQL cluster of the harness's own, which it may crash, and databases in it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use nix::unistd::{User, geteuid};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use tokio::process::Command;

/// What the database writes down.
const WATCH: &str = include_str!("watch.sql");
/// The migrated database that trials copy.
const TEMPLATE: &str = "faults_template";

/// A running cluster. Dropped, it is stopped and its folder deleted.
pub struct Cluster {
    bin: PathBuf,
    folder: PathBuf,
    /// The user that the server runs as, when we are root, as whom it refuses to run.
    user: Option<String>,
    _owner: Option<tempfile::TempDir>,
}

impl Cluster {
    /// Makes a cluster in a temporary folder, with a template that has the schema and its watch. `within` is where, for a
    /// disk of a size of its own; durable or not makes no difference to processes that are killed.
    ///
    /// # Errors
    /// That there is no PostgreSQL, or what it complains of.
    pub async fn start(within: Option<&Path>) -> Result<Self> {
        let (folder, owner) = match within {
            Some(folder) => (folder.to_owned(), None),
            None => {
                let made = tempfile::Builder::new().prefix("mf.").tempdir_in("/tmp")?;
                (made.path().to_owned(), Some(made))
            }
        };
        let user = match geteuid().is_root() {
            true => Some(unprivileged(&folder)?),
            false => None,
        };
        let cluster = Self {
            bin: find_postgres()?,
            folder,
            user,
            _owner: owner,
        };
        let data = cluster.data();
        cluster
            .tool(
                "initdb",
                &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
                &["--no-sync", "--locale=C.UTF-8"],
            )
            .await?;
        cluster.up().await?;
        cluster.make_template().await?;
        Ok(cluster)
    }

    /// Starts the server after it was stopped.
    ///
    /// # Errors
    /// What it complains of.
    pub async fn up(&self) -> Result<()> {
        let (data, log) = (self.data(), self.folder.join("log"));
        // Loopback TCP is for nobody: processes go through proxies, which use the socket. What is committed survives a
        // killed server without fsync, since the machine itself does not fail here.
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_connections=400 -c fsync=off \
             -c full_page_writes=off -c autovacuum_naptime=5s -c deadlock_timeout=200ms",
            self.folder.display()
        );
        let log = log.display().to_string();
        self.tool(
            "pg_ctl",
            &["-D", &data, "-w", "-t", "60", "-l", &log],
            &["-o", &settings, "start"],
        )
        .await
    }

    /// `pg_ctl restart -m immediate`: no goodbye, recovery at the start. Blocks until it is up again.
    ///
    /// # Errors
    /// What it complains of.
    pub async fn crash_and_restart(&self) -> Result<()> {
        let data = self.data();
        self.tool(
            "pg_ctl",
            &["-D", &data, "-m", "immediate", "-w", "-t", "60"],
            &["stop"],
        )
        .await?;
        self.up().await
    }

    /// Starts the server unless it runs.
    ///
    /// # Errors
    /// What it complains of.
    pub async fn ensure_up(&self) -> Result<()> {
        let data = self.data();
        if self
            .tool("pg_ctl", &["-D", &data], &["status"])
            .await
            .is_ok()
        {
            return Ok(());
        }
        self.up().await
    }

    /// Fills the disk that the cluster is on, but for nothing, and returns the file to delete.
    ///
    /// # Errors
    /// Those of the file system, but for the one that is wanted.
    pub fn fill_disk(&self) -> Result<PathBuf> {
        let path = self.folder.join("ballast");
        let mut file = std::fs::File::create(&path)?;
        let block = vec![0; 64 << 10];
        loop {
            match file.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(path),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The file of its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(".s.PGSQL.5432")
    }

    /// How to reach a database directly, through no proxy.
    pub fn direct(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.folder)
            .port(5432)
            .username("postgres")
            .database(database)
            .ssl_mode(PgSslMode::Disable)
    }

    /// A fresh database with the schema and its watch.
    ///
    /// # Errors
    /// Those of the statements.
    pub async fn database(&self, name: &str) -> Result<PgConnectOptions> {
        let mut admin = self.direct("postgres").connect().await?;
        run(
            &mut admin,
            format!("drop database if exists {name} with (force)"),
        )
        .await?;
        run(
            &mut admin,
            format!("create database {name} template {TEMPLATE}"),
        )
        .await?;
        admin.close().await?;
        Ok(self.direct(name))
    }

    /// Drops a database, whoever is connected.
    ///
    /// # Errors
    /// Those of the statement.
    pub async fn drop_database(&self, name: &str) -> Result<()> {
        let mut admin = self.direct("postgres").connect().await?;
        run(
            &mut admin,
            format!("drop database if exists {name} with (force)"),
        )
        .await?;
        Ok(admin.close().await?)
    }

    async fn make_template(&self) -> Result<()> {
        let mut admin = self.direct("postgres").connect().await?;
        run(&mut admin, format!("create database {TEMPLATE}")).await?;
        admin.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_with(self.direct(TEMPLATE))
            .await?;
        millrace_queue::migrate(&pool).await?;
        sqlx::raw_sql(WATCH).execute(&pool).await?;
        pool.close().await;
        Ok(())
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    async fn tool(&self, name: &str, first: &[&str], rest: &[&str]) -> Result<()> {
        let complaint = self.folder.join("complaint");
        let ended = Command::from(self.command(name))
            .args(first)
            .args(rest)
            .stdout(Stdio::null())
            // A file, since a server that goes on would hold a pipe open.
            .stderr(std::fs::File::create(&complaint)?)
            .status()
            .await?;
        ensure!(
            ended.success(),
            "{name}: {}",
            std::fs::read_to_string(complaint).unwrap_or_default()
        );
        Ok(())
    }

    fn command(&self, name: &str) -> std::process::Command {
        let tool = self.bin.join(name);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = std::process::Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]);
                command.arg(tool);
                command
            }
            None => std::process::Command::new(tool),
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let data = self.data();
        // It may be down already.
        let _stopped = self
            .command("pg_ctl")
            .args(["-D", &data, "-m", "immediate", "-w", "stop"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

async fn run(conn: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await?;
    Ok(())
}

/// Gives the folder to a user as whom PostgreSQL agrees to run.
pub(crate) fn unprivileged(folder: &Path) -> Result<String> {
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            nix::unistd::chown(folder, Some(user.uid), Some(user.gid))?;
            return Ok(user.uid.to_string());
        }
    }
    anyhow::bail!("neither postgres nor nobody is a user here")
}

/// The newest installed one, or that of MILLRACE_PG_BIN.
fn find_postgres() -> Result<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the harness has no configuration"
    )]
    if let Ok(bin) = std::env::var("MILLRACE_PG_BIN") {
        return Ok(bin.into());
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
    {
        let path = entry?.path();
        let version = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        if let Some(version) = version
            && path.join("bin/initdb").is_file()
        {
            found.push((version, path.join("bin")));
        }
    }
    found.sort();
    let newest = found.pop().map(|(_, bin)| bin);
    newest.context("PostgreSQL is not installed in /usr/lib/postgresql; set MILLRACE_PG_BIN")
}
