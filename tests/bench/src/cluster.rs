//! The PostgreSQL server that everything runs against: a cluster of its own with the default settings, but for 1 GB of
//! shared buffers, on a Unix socket. Its files stay between runs, since the big fixtures take minutes to make.

use std::{
    os::unix::fs::chown,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, Result};
use nix::unistd::{User, geteuid};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tempfile::TempDir;
use tokio::process::Command;

const SHARED_BUFFERS: &str = "1GB";

pub(crate) struct Cluster {
    bin: PathBuf,
    data: PathBuf,
    /// In a folder of its own, since the path of a socket is at most 107 bytes.
    sockets: TempDir,
    /// PostgreSQL refuses to run as root.
    user: Option<User>,
    version: String,
}

/// A database of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) options: PgConnectOptions,
    pub(crate) url: String,
}

impl Cluster {
    /// Starts the cluster in `folder`, and makes it before if it is not there.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        let bin = newest_postgres()?;
        let user = if geteuid().is_root() {
            let found = User::from_name("postgres")?.or(User::from_name("nobody")?);
            Some(found.context("PostgreSQL does not run as root, and there is no user postgres")?)
        } else {
            None
        };
        let version = version(&bin).await?;
        std::fs::create_dir_all(folder)?;
        let sockets = tempfile::Builder::new()
            .prefix("millrace-bench.")
            .tempdir_in("/tmp")?;
        let major = version.split('.').next().unwrap_or_default();
        let data = folder.join(format!("pg{major}"));
        if let Some(user) = &user {
            for path in [folder, sockets.path()] {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
            }
        }
        let cluster = Self {
            bin,
            data,
            sockets,
            user,
            version,
        };
        if !cluster.data.join("PG_VERSION").exists() {
            cluster.initialize().await?;
        }
        // Left over from a run that was killed.
        let _ = cluster.control(&["-m", "immediate", "stop"]).await;
        cluster.launch("").await?;
        Ok(cluster)
    }

    async fn initialize(&self) -> Result<()> {
        eprintln!("making a cluster in {}", self.data.display());
        let data = self.data.to_string_lossy();
        let common = ["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8"];
        for locale in ["--locale=C.UTF-8", "--locale=C"] {
            let done = self
                .command("initdb")
                .args(common)
                .arg(locale)
                .output()
                .await?;
            if done.status.success() {
                return Ok(());
            }
            if locale == "--locale=C" {
                anyhow::bail!(
                    "initdb failed; can {} reach the folder? {}",
                    self.user.as_ref().map_or("this user", |user| &user.name),
                    String::from_utf8_lossy(&done.stderr)
                );
            }
        }
        Ok(())
    }

    async fn launch(&self, extra: &str) -> Result<()> {
        let sockets = self.sockets.path().display();
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={sockets} -c shared_buffers={SHARED_BUFFERS} {extra}"
        );
        let log = self.data.join("server.log");
        let log = log.to_string_lossy();
        self.control(&["-t", "120", "-l", &log, "-o", &settings, "start"])
            .await
            .with_context(|| format!("see {log}"))
    }

    /// Stops and starts it with further settings, for measurements that need them.
    pub(crate) async fn restart_with(&self, extra: &str) -> Result<()> {
        self.control(&["-m", "fast", "stop"]).await?;
        self.launch(extra).await
    }

    pub(crate) async fn stop(&self) -> Result<()> {
        self.control(&["-m", "fast", "stop"]).await
    }

    async fn control(&self, words: &[&str]) -> Result<()> {
        let status = self
            .command("pg_ctl")
            .arg("-D")
            .arg(&self.data)
            .arg("-w")
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .await?;
        anyhow::ensure!(status.success(), "pg_ctl {words:?}: {status}");
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.stdin(Stdio::null()).current_dir("/");
        if let Some(user) = &self.user {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }

    /// The process id of the server.
    pub(crate) fn pid(&self) -> Result<i32> {
        let text = std::fs::read_to_string(self.data.join("postmaster.pid"))?;
        let line = text.lines().next().context("an empty postmaster.pid")?;
        Ok(line.trim().parse()?)
    }

    pub(crate) fn database(&self, name: &str) -> Database {
        let sockets = self.sockets.path();
        Database {
            options: PgConnectOptions::new_without_pgpass()
                .socket(sockets)
                .port(5432)
                .username("postgres")
                .database(name),
            url: format!(
                "postgres://postgres@localhost:5432/{name}?host={}",
                sockets.display()
            ),
        }
    }

    /// The database `name`, which `make` fills when it is not there yet.
    pub(crate) async fn database_made_by(
        &self,
        name: &str,
        make: impl AsyncFnOnce(Database) -> Result<()>,
    ) -> Result<Database> {
        let admin = self.database("postgres");
        let mut conn = admin.conn().await?;
        let there: bool =
            sqlx::query_scalar("select exists(select from pg_database where datname = $1)")
                .bind(name)
                .fetch_one(&mut conn)
                .await?;
        if !there {
            let making = format!("{name}_new");
            admin
                .sql(&format!("drop database if exists {making} with (force)"))
                .await?;
            admin.sql(&format!("create database {making}")).await?;
            make(self.database(&making)).await?;
            admin
                .sql(&format!("alter database {making} rename to {name}"))
                .await?;
        }
        Ok(self.database(name))
    }

    /// Drops the databases whose names begin with `prefix`, but for `keep`: fixtures of an older schema.
    pub(crate) async fn drop_others(&self, prefix: &str, keep: &str) -> Result<()> {
        let admin = self.database("postgres");
        let names: Vec<String> = sqlx::query_scalar(
            "select datname from pg_database where starts_with(datname, $1) and datname <> $2",
        )
        .bind(prefix)
        .bind(keep)
        .fetch_all(&mut admin.conn().await?)
        .await?;
        for name in names {
            admin
                .sql(&format!("drop database {name} with (force)"))
                .await?;
        }
        Ok(())
    }

    /// What a figure of this server is worth.
    pub(crate) fn settings(&self) -> Value {
        json!({
            "postgres": self.version,
            "shared_buffers": SHARED_BUFFERS,
            "synchronous_commit": true,
            "cores": std::thread::available_parallelism().map_or(0, usize::from),
            "build": if cfg!(debug_assertions) { "debug" } else { "release" },
        })
    }
}

impl Database {
    pub(crate) async fn conn(&self) -> Result<PgConnection> {
        Ok(self.options.connect().await?)
    }

    /// Runs one or more statements, on a connection of their own.
    pub(crate) async fn sql(&self, text: &str) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(text.to_owned()))
            .execute(&mut self.conn().await?)
            .await
            .with_context(|| text.to_owned())?;
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark has no configuration; the tests know this variable too"
)]
fn newest_postgres() -> Result<PathBuf> {
    if let Ok(bin) = std::env::var("MILLRACE_PG_BIN") {
        return Ok(bin.into());
    }
    let mut found: Vec<(u32, PathBuf)> = Vec::new();
    for (folder, prefix) in [
        ("/usr/lib/postgresql", ""),
        ("/opt/homebrew/opt", "postgresql@"),
        ("/usr/local/opt", "postgresql@"),
    ] {
        let Ok(entries) = std::fs::read_dir(folder) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix));
            let bin = entry.path().join("bin");
            if let Some(version) = version.and_then(|v| v.parse().ok())
                && bin.join("initdb").exists()
            {
                found.push((version, bin));
            }
        }
    }
    let newest = found.into_iter().max_by_key(|(version, _)| *version);
    Ok(newest
        .context("PostgreSQL is not installed; MILLRACE_PG_BIN can name its programs' folder")?
        .1)
}

async fn version(bin: &Path) -> Result<String> {
    let answer = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .await?;
    let text = String::from_utf8(answer.stdout)?;
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    Ok(version
        .context("PostgreSQL does not say its version")?
        .to_owned())
}
