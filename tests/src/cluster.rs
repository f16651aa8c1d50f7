//! A PostgreSQL cluster that belongs to one test, which may crash it.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, Result};
use millrace_local::postgres::{Postgres, PostgresOptions};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{PgPool, postgres::PgPoolOptions};

use crate::within;

/// The database of the platform in it.
const DATABASE: &str = "millrace";

/// A cluster with a migrated database.
pub(crate) struct Cluster {
    options: PostgresOptions,
    server: Option<Postgres>,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

impl Cluster {
    /// Makes one below `folder`.
    pub(crate) async fn start(folder: &Path, durable: bool) -> Result<Self> {
        // The machine itself does not fail here, so what was handed to the system is safe. `synchronous_commit` stays:
        // without it, a crash of the server would take commits back that were answered.
        let fast = [("fsync", "off"), ("full_page_writes", "off")];
        let fast = if durable { &[][..] } else { &fast[..] };
        let options = PostgresOptions {
            data_dir: folder.join("pg"),
            bin_dir: millrace_config::variable("MILLRACE_PG_BIN").map(Into::into),
            settings: fast
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        };
        let server = Postgres::start(options.clone()).await?;
        server.create_database(DATABASE).await?;
        let url = server.url(DATABASE);
        let pool = PgPoolOptions::new()
            .max_connections(6)
            .connect(&url)
            .await?;
        millrace_jobs::migrate(&pool)
            .await
            .context("a migration failed")?;
        Ok(Self {
            options,
            server: Some(server),
            url,
            pool,
        })
    }

    /// The folder and the name of its socket.
    pub(crate) fn socket(&self) -> Result<std::path::PathBuf> {
        let url = url::Url::parse(&self.url)?;
        let host = url.query_pairs().find(|(name, _)| name == "host");
        let (_, folder) = host.context("the cluster has no socket")?;
        Ok(Path::new(folder.as_ref()).join(".s.PGSQL.5432"))
    }

    /// What `pg_ctl restart -m immediate` does: no goodbye, recovery at the start.
    pub(crate) async fn crash_and_restart(&mut self) -> Result<()> {
        let server = self.server.take().context("the cluster does not run")?;
        let pid_file = std::fs::read_to_string(server.folder().join("postmaster.pid"))?;
        let pid = pid_file.lines().next().context("an empty postmaster.pid")?;
        kill(Pid::from_raw(pid.trim().parse()?), Signal::SIGQUIT)?;
        within(
            "the cluster crashes",
            Duration::from_secs(20),
            server.ended(),
        )
        .await?;
        self.server = Some(Postgres::start(self.options.clone()).await?);
        Ok(())
    }

    /// Stops it for good.
    pub(crate) async fn stop(self) {
        self.pool.close().await;
        if let Some(server) = self.server {
            server.stop().await;
        }
    }
}
