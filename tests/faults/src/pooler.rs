//! PgBouncer between a worker and the database, in session pooling, as many installations run it.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, ensure};
use nix::unistd::geteuid;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{cluster::unprivileged, process::Process};

/// Its file is named after it.
const PORT: u16 = 6432;
const UP_WITHIN: Duration = Duration::from_secs(10);

/// A PgBouncer of one worker. Dropped, it is gone with its sessions.
pub(crate) struct Pooler {
    _process: Process,
    folder: TempDir,
}

impl Pooler {
    /// Starts one before the server's socket. Each session says that it is `who`'s: a worker itself cannot, since
    /// PgBouncer takes no `options` at the start of a connection, and sessions go from hand to hand.
    ///
    /// # Errors
    /// That it does not start.
    pub(crate) async fn start(server: &Path, who: &str, log: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mf-pool.").tempdir()?;
        let server = server.parent().unwrap_or(server).display();
        // What DISCARD ALL does, and the name again.
        let reset =
            "close all; reset all; deallocate all; unlisten *; select pg_advisory_unlock_all();";
        let settings = format!(
            "[databases]\n\
             * = host={server} port=5432 user=postgres connect_query='set faults.who = ''{who}'''\n\
             [pgbouncer]\n\
             listen_addr =\n\
             listen_port = {PORT}\n\
             unix_socket_dir = {}\n\
             auth_type = any\n\
             pool_mode = session\n\
             default_pool_size = 40\n\
             ignore_startup_parameters = extra_float_digits\n\
             server_reset_query = {reset} set faults.who = '{who}'\n",
            folder.path().display()
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings)?;
        let program = program().unwrap_or_default().display().to_string();
        let file = file.display().to_string();
        let mut arguments: Vec<String> = Vec::new();
        // As root it refuses to run.
        if geteuid().is_root() {
            let user = unprivileged(folder.path())?;
            let as_user = ["--reuid", &user, "--regid", &user, "--clear-groups"];
            arguments.extend(as_user.map(str::to_owned));
        }
        let rest = ["--pdeathsig", "KILL", "--", &program, "--quiet", &file];
        arguments.extend(rest.map(str::to_owned));
        let process = Process::start(Path::new("setpriv"), &arguments, &[], log)?;
        let pooler = Self {
            _process: process,
            folder,
        };
        let deadline = Instant::now() + UP_WITHIN;
        while !pooler.socket().exists() {
            ensure!(
                Instant::now() < deadline,
                "PgBouncer does not start: {}",
                std::fs::read_to_string(log).unwrap_or_default()
            );
            sleep(Duration::from_millis(5)).await;
        }
        Ok(pooler)
    }

    /// The file of its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join(format!(".s.PGSQL.{PORT}"))
    }
}

/// Where PgBouncer is. `None` where it is not installed.
pub(crate) fn program() -> Option<PathBuf> {
    let places = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].map(PathBuf::from);
    let runs = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
    };
    places.into_iter().find(runs)
}
