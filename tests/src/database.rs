//! A database per test, copied from a template that is migrated once per process.

use anyhow::{Context as _, Result};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool, postgres::PgPoolOptions};
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

/// A migrated database of the cluster that DATABASE_URL names.
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) pool: PgPool,
    name: String,
}

impl Database {
    /// Copies the template.
    pub(crate) async fn create() -> Result<Self> {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let template = TEMPLATE.get_or_try_init(make_template).await?;
        let name = format!("e2e_{}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(cluster()?.as_str())
            .await
            .context("the cluster cannot be reached")?;
        run(
            &mut admin,
            format!("create database {name} template {template}"),
        )
        .await?;
        admin.close().await?;
        let url = address(&name)?;
        let pool = PgPoolOptions::new()
            .max_connections(6)
            .connect(&url)
            .await?;
        Ok(Self { url, pool, name })
    }

    /// Swallows every notification of connections that are made from now on: they find another function under the
    /// name.
    pub(crate) async fn deafen(&self) -> Result<()> {
        let mut connection = PgConnection::connect(&self.url).await?;
        let swallow = "create schema shadow;
             create function shadow.pg_notify(text, text) returns void language sql as 'select'";
        run(&mut connection, swallow.to_owned()).await?;
        run(
            &mut connection,
            format!(
                "alter database {} set search_path = shadow, public, pg_catalog",
                self.name
            ),
        )
        .await?;
        connection.close().await?;
        Ok(())
    }

    /// Drops it, whoever is still connected.
    pub(crate) async fn drop(self) -> Result<()> {
        self.pool.close().await;
        let mut admin = PgConnection::connect(cluster()?.as_str()).await?;
        run(
            &mut admin,
            format!("drop database {} with (force)", self.name),
        )
        .await
    }
}

fn cluster() -> Result<Url> {
    let url = millrace_config::variable("DATABASE_URL")
        .context("DATABASE_URL is not set: run the tests through `with_postgres -- cargo test`, or `make test`")?;
    Url::parse(&url).context("DATABASE_URL is no address")
}

fn address(database: &str) -> Result<String> {
    let mut url = cluster()?;
    url.set_path(database);
    Ok(url.into())
}

async fn make_template() -> Result<String> {
    let mut admin = PgConnection::connect(cluster()?.as_str())
        .await
        .context("the cluster cannot be reached")?;
    let old: Vec<String> = sqlx::query_scalar(
        "select datname::text from pg_database where datname like 'e2e_template_%'",
    )
    .fetch_all(&mut admin)
    .await?;
    for name in old {
        // Templates of processes that are gone. Another process's stay.
        let pid = name.trim_start_matches("e2e_template_");
        if !std::path::Path::new("/proc").join(pid).exists() {
            run(
                &mut admin,
                format!("drop database if exists {name} with (force)"),
            )
            .await?;
        }
    }
    let name = format!("e2e_template_{}", std::process::id());
    run(
        &mut admin,
        format!("drop database if exists {name} with (force)"),
    )
    .await?;
    run(&mut admin, format!("create database {name}")).await?;
    admin.close().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&address(&name)?)
        .await?;
    millrace_jobs::migrate(&pool)
        .await
        .context("a migration failed")?;
    // A template may have no visitors.
    pool.close().await;
    Ok(name)
}

async fn run(connection: &mut PgConnection, sql: String) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.clone()))
        .execute(connection)
        .await
        .with_context(|| sql)?;
    Ok(())
}
