//! Clients that enqueue, and go on until every job is known to be accepted.

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use clap::Parser;
use millrace_bus::Notifier;
use millrace_faults::{
    load::{Load, Mix, Wish},
    record::{Audit, Fact},
};
use millrace_queue::{NewJob, Placed, enqueue_all};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A transaction that takes longer is given up, and its outcome looked up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Clients of the fault harness.
#[derive(Debug, Clone, Parser)]
struct Options {
    #[arg(long)]
    name: String,
    #[arg(long)]
    port: u16,
    #[arg(long)]
    database: String,
    #[arg(long)]
    audit: PathBuf,
    #[arg(long)]
    seed: u64,
    #[arg(long)]
    mix: Mix,
    /// How many jobs each client wants, about.
    #[arg(long)]
    jobs: u64,
    #[arg(long)]
    clients: u64,
    /// Between two transactions of a client.
    #[arg(long, default_value_t = 0)]
    pause_ms: u64,
    /// Wakes nobody.
    #[arg(long)]
    silent: bool,
}

struct Client {
    options: PgConnectOptions,
    conn: Option<PgConnection>,
    audit: Arc<Audit>,
    notifier: Notifier,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    let connect = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(options.port)
        .username("postgres")
        .database(&options.database)
        .ssl_mode(PgSslMode::Disable)
        .application_name("enqueue")
        .options([("faults.who", &options.name)]);
    let audit = Arc::new(Audit::open(&options.audit, &options.name, 0)?);
    let notifier = if options.silent {
        Notifier::silent()
    } else {
        Notifier::start(connect.clone(), CancellationToken::new())
    };
    let mut clients = JoinSet::new();
    for number in 0..options.clients {
        let mut load = Load::new(options.mix, options.seed, number, options.jobs);
        let mut client = Client {
            options: connect.clone(),
            conn: None,
            audit: audit.clone(),
            notifier: notifier.clone(),
        };
        let pause = Duration::from_millis(options.pause_ms);
        clients.spawn(async move {
            loop {
                let batch = load.next_batch();
                if batch.is_empty() {
                    return;
                }
                client.insist(batch).await;
                sleep(pause).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended?;
    }
    Ok(())
}

impl Client {
    /// Enqueues until it is known to have happened.
    async fn insist(&mut self, batch: Vec<Wish>) {
        let mut jobs = Vec::with_capacity(batch.len());
        for (job, intent) in batch {
            self.audit.write(Fact::Intent(intent));
            jobs.push(job);
        }
        let ids: Vec<Uuid> = jobs.iter().map(|job| job.id().0).collect();
        let mut tried = false;
        loop {
            let answer = timeout(PATIENCE, self.put(&jobs, &ids, tried)).await;
            match answer {
                Ok(Ok(placed)) => {
                    for (job, placed) in ids.iter().zip(placed) {
                        if let Some(placed) = placed {
                            self.audit.write(Fact::Accepted {
                                job: *job,
                                holder: placed.id.0,
                            });
                        }
                    }
                    return;
                }
                // Whatever went wrong, the connection is in doubt, and so is the commit.
                Ok(Err(_)) | Err(_) => self.conn = None,
            }
            tried = true;
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// One try. After an earlier one it looks first whether that was committed: a transaction is whole or not at all.
    async fn put(
        &mut self,
        jobs: &[NewJob],
        ids: &[Uuid],
        tried: bool,
    ) -> Result<Vec<Option<Placed>>> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => self.conn.insert(self.options.connect().await?),
        };
        if tried {
            let there: Vec<Uuid> = sqlx::query_scalar(
                "select id from queue.job where id = any($1)
                 union select id from queue.history where id = any($1)",
            )
            .bind(ids)
            .fetch_all(&mut *conn)
            .await?;
            if !there.is_empty() {
                // What is missing was held by others, and nobody will say any more by whom.
                let place = |id: &Uuid| {
                    there.contains(id).then_some(Placed {
                        id: (*id).into(),
                        new: true,
                        replaced: false,
                    })
                };
                return Ok(ids.iter().map(place).collect());
            }
        }
        let mut tx = conn.begin().await?;
        let enqueued = enqueue_all(&mut tx, jobs.to_vec()).await?;
        tx.commit().await?;
        enqueued.wake.fire(&self.notifier);
        Ok(enqueued.ids.into_iter().map(Some).collect())
    }
}
