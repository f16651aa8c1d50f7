//! `up`: everything in one process.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use millrace_config::{Config, start_telemetry};
use millrace_domain::accounts::{NewUser, Role, User, UserError};
use millrace_local::foundation::{Foundation, FoundationOptions};
use millrace_local::ports::Ports;
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{check, stop};

/// Starts everything, says where it is, and stops it all in order when told to.
pub(super) async fn run(
    data_dir: PathBuf,
    port: u16,
    pg_bin: Option<PathBuf>,
) -> anyhow::Result<()> {
    let stop = stop::on_signal()?;
    let ports = Ports::from_first(port)?;
    let foundation = Foundation::start(FoundationOptions {
        data_dir,
        ports,
        pg_bin,
    })
    .await?;
    // Both parts are one process here, and one service.
    let traces = start_telemetry(&foundation.config, "millrace");
    let ended = match traces {
        Ok(traces) => {
            let ended = serve(&foundation, &stop).await;
            traces.end().await;
            ended
        }
        Err(error) => Err(error.into()),
    };
    foundation.stop().await;
    ended
}

async fn serve(foundation: &Foundation, stop: &CancellationToken) -> anyhow::Result<()> {
    let config = &foundation.config;
    prepare(foundation).await?;
    let listener = TcpListener::bind(config.server.listen).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {}", config.server.listen))?;

    let mut api = Part::start(
        |config, stop| async move { millrace_api::run(config, listener, stop).await },
        config,
    );
    let mut worker = Part::start(
        |config, stop| async move { millrace_worker::run(&config, stop).await },
        config,
    );
    print!("{}", summary(foundation));
    let ended = tokio::select! {
        () = stop.cancelled() => {
            println!("Stopping.");
            Ok(())
        }
        ended = &mut worker.task => Err(unexpected("the worker", ended)),
        ended = &mut api.task => Err(unexpected("the API", ended)),
        how = foundation.postgres.ended() => Err(anyhow!(
            "PostgreSQL ended ({how}), see {}", foundation.postgres.log().display()
        )),
    };
    // The worker first: while it drains, its jobs still report progress to people who watch.
    let (worker, api) = (worker.stop().await, api.stop().await);
    ended
        .and(worker.context("the worker"))
        .and(api.context("the API"))
}

/// A part that runs as a task of its own.
struct Part {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Part {
    fn start<F>(run: impl FnOnce(Config, CancellationToken) -> F, config: &Config) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = CancellationToken::new();
        Self {
            task: tokio::spawn(run(config.clone(), stop.clone())),
            stop,
        }
    }

    /// Tells it to stop and waits; one that has ended before has said so already.
    async fn stop(self) -> anyhow::Result<()> {
        self.stop.cancel();
        if self.task.is_finished() {
            Ok(())
        } else {
            self.task.await?
        }
    }
}

fn unexpected(
    part: &str,
    ended: Result<anyhow::Result<()>, tokio::task::JoinError>,
) -> anyhow::Error {
    match ended {
        Ok(Ok(())) => anyhow!("{part} ended by itself"),
        Ok(Err(error)) => error.context(format!("{part} ended")),
        Err(error) => anyhow!(error).context(format!("{part} panicked")),
    }
}

/// ffmpeg, the schema, and the accounts to begin with.
async fn prepare(foundation: &Foundation) -> anyhow::Result<()> {
    // Before anything is announced: the worker would only find out a second later.
    check::ffmpeg(&foundation.config)
        .await
        .context("ffmpeg (`make up` installs it)")?;
    let (options, _) = millrace_jobs::database_options(&foundation.config)
        .context("database.url is not an address")?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await;
    let pool = pool.context("the database cannot be reached")?;
    millrace_jobs::migrate(&pool)
        .await
        .context("a migration failed")?;
    let secrets = &foundation.secrets;
    account(&pool, "demo", &secrets.demo_password, Role::User).await?;
    account(&pool, "admin", &secrets.admin_password, Role::Admin).await?;
    pool.close().await;
    Ok(())
}

/// Makes an account unless it is there.
async fn account(pool: &PgPool, username: &str, password: &str, role: Role) -> anyhow::Result<()> {
    if User::find_login(pool, username).await?.is_some() {
        return Ok(());
    }
    let email = format!("{username}@millrace.localhost");
    let password_hash = millrace_api::hash_password(password)?;
    let new = NewUser {
        username,
        email: &email,
        password_hash: &password_hash,
        role,
        language: "zh-TW",
    };
    match User::create(pool, new).await {
        // Somebody registered under the address: theirs, then.
        Ok(_) | Err(UserError::UsernameTaken | UserError::EmailTaken) => Ok(()),
        Err(error) => Err(error).context("failed to make the demo accounts"),
    }
}

fn summary(foundation: &Foundation) -> String {
    let Foundation {
        postgres,
        config,
        secrets,
        storage,
        ..
    } = foundation;
    let mut lines = vec![
        String::new(),
        format!(
            "  Millrace runs on  {}",
            config.server.public_url.as_str().trim_end_matches('/')
        ),
        String::new(),
        format!("  Log in as         demo / {}", secrets.demo_password),
        format!("             or as  admin / {}", secrets.admin_password),
        format!("  Data              {}", foundation.data_dir().display()),
        format!("  Storage           http://{storage}"),
        format!(
            "  Database          psql '{}'",
            config.database.url.expose()
        ),
        if foundation.mail_stays_here() {
            format!("  Mail              http://{}/mailbox", foundation.mailbox)
        } else {
            "  Mail              leaves for the server of email.smtp_url".to_owned()
        },
    ];
    lines.push("  Payments          go to a sandbox, and no money moves".to_owned());
    if postgres.moved() {
        let user = "the user that PostgreSQL runs as cannot reach the data directory, so the database is in";
        lines.push(format!(
            "  Note              {user} {}",
            postgres.folder().display()
        ));
    }
    if !config.web.dir.join("index.html").is_file() {
        lines.push(format!(
            "  Note              the web application is not built ({}): run `make up`",
            config.web.dir.display()
        ));
    }
    lines.extend([
        String::new(),
        "  Ctrl-C stops everything; the next start goes on where this one ended.".into(),
        String::new(),
    ]);
    lines.join("\n") + "\n"
}
