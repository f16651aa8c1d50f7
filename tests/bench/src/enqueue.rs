//! `enqueue_*`: how fast jobs are inserted, beside a plain INSERT of the same rows into the same table. Everybody waits
//! for each commit of its own. Ours wakes workers: a notifier runs, and a listener hears it.

use anyhow::Result;
use millrace_bus::{Listener, Notifier};
use millrace_queue::{Kind, WORK, enqueue, enqueue_all};
use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Bench,
    cluster::{Cluster, Database},
    contest::{Figure, Sample, take_turns},
    fixture,
    kinds::Noop,
    machine::{Watch, quiet},
};

pub(crate) const IDS: [&str; 4] = [
    "enqueue_8",
    "enqueue_32",
    "enqueue_32_commit_delay",
    "enqueue_bulk",
];

/// Jobs inserted one by one.
const SINGLE: u64 = 60_000;
/// Jobs inserted by the thousand.
const BULK: u64 = 300_000;
const PACK: i64 = 1_000;

/// How the rows of one run are inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    clients: usize,
    /// Rows a statement.
    pack: i64,
    /// The server's `commit_delay` in microseconds.
    delay: u32,
    ours: bool,
}

fn way(id: &str) -> Who {
    let (clients, pack, delay) = match id {
        "enqueue_8" => (8, 1, 0),
        "enqueue_32" => (32, 1, 0),
        "enqueue_32_commit_delay" => (32, 1, 1000),
        _ => (1, PACK, 0),
    };
    Who {
        clients,
        pack,
        delay,
        ours: true,
    }
}

pub(crate) async fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let (cluster, wishes) = (&bench.cluster, &bench.wishes);
    let db = fixture::engine(cluster).await?;
    let wanted: Vec<&'static str> = IDS.into_iter().filter(|id| wishes.want(id)).collect();
    let contestants = wanted.iter().flat_map(|id| {
        [
            way(id),
            Who {
                ours: false,
                ..way(id)
            },
        ]
    });
    let results = take_turns(wishes.runs, contestants, async |who: Who| {
        let jobs = wishes.scaled(if who.pack == 1 { SINGLE } else { BULK });
        fixture::clear(&db).await?;
        fixture::settle(&db, "queue.job").await?;
        insert(cluster, &db, who, i64::try_from(jobs)?).await
    })
    .await;
    let figures = wanted.into_iter().map(|id| {
        let who = way(id);
        let settings = json!({
            "unit": "jobs/s", "clients": who.clients, "rows_per_statement": who.pack, "commit_delay": who.delay,
            "base": if who.pack == 1 { "plain INSERT of the same row" } else { "plain INSERT from unnest of the same rows" },
        });
        results.figure(id, who, Who { ours: false, ..who }, settings)
    });
    Ok(figures.collect())
}

async fn insert(cluster: &Cluster, db: &Database, who: Who, jobs: i64) -> Result<Sample> {
    let stop = CancellationToken::new();
    let notifier = Notifier::start(db.options.clone(), stop.clone());
    let listener = Listener::start(db.options.clone(), &[WORK], stop.clone());
    // The first thing it says is that it listens.
    listener.subscribe().next().await;
    let options = db
        .options
        .clone()
        .options([("commit_delay", who.delay.to_string())]);
    let mut conns = Vec::new();
    for _ in 0..who.clients {
        conns.push(client(&options).await?);
    }
    let each = jobs / who.clients as i64;
    quiet().await;
    let watch = Watch::start(cluster.pid()?);
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for mut conn in conns {
        let notifier = notifier.clone();
        clients.spawn(async move {
            for from in (0..each).step_by(usize::try_from(who.pack)?) {
                match (who.ours, who.pack) {
                    (true, 1) => enqueue(&mut conn, Noop::job(from))
                        .await?
                        .wake
                        .fire(&notifier),
                    (true, pack) => {
                        let jobs = (from..from + pack).map(Noop::job).collect();
                        enqueue_all(&mut conn, jobs).await?.wake.fire(&notifier);
                    }
                    (false, 1) => plain(&mut conn, from).await?,
                    (false, pack) => plain_pack(&mut conn, from..from + pack).await?,
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let usage = watch.stop();
    stop.cancel();
    let rows: i64 = sqlx::query_scalar("select count(*) from queue.job where state = 'available'")
        .fetch_one(&mut db.conn().await?)
        .await?;
    anyhow::ensure!(
        rows == each * who.clients as i64,
        "{rows} of {jobs} jobs are there"
    );
    Ok(Sample {
        value: rows as f64 / seconds,
        usage,
        ..Sample::default()
    })
}

/// A connection that has run its statement before, as those of a pool have.
async fn client(options: &PgConnectOptions) -> Result<PgConnection> {
    let mut conn = options.connect().await?;
    sqlx::query("select 1").execute(&mut conn).await?;
    Ok(conn)
}

fn args(id: i64) -> Value {
    json!({"id": id})
}

/// The row that [`enqueue`] writes.
async fn plain(conn: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query(
        "insert into queue.job (id, kind, queue, state, priority, args, max_attempts, max_crashes, timeout_ms)
         values ($1, $2, $3, 'available', $4, $5, $6, $7, $8)",
    )
    .bind(Uuid::now_v7())
    .bind(Noop::KIND)
    .bind(Noop::QUEUE)
    .bind(Noop::PRIORITY)
    .bind(args(id))
    .bind(i32::from(Noop::MAX_ATTEMPTS))
    .bind(i32::from(Noop::MAX_CRASHES))
    .bind(i64::try_from(Noop::TIMEOUT.as_millis())?)
    .execute(conn)
    .await?;
    Ok(())
}

/// The rows that [`enqueue_all`] writes; what is the same in all of them is sent once.
async fn plain_pack(conn: &mut PgConnection, range: std::ops::Range<i64>) -> Result<()> {
    let ids: Vec<Uuid> = range.clone().map(|_| Uuid::now_v7()).collect();
    let all: Vec<Value> = range.map(args).collect();
    sqlx::query(
        "insert into queue.job (id, kind, queue, state, priority, args, max_attempts, max_crashes, timeout_ms)
         select id, $3::text, $4::text, 'available', $5::smallint, args, $6::integer, $7::integer, $8::bigint from unnest($1::uuid[], $2::jsonb[]) as r(id, args)",
    )
    .bind(ids)
    .bind(all)
    .bind(Noop::KIND)
    .bind(Noop::QUEUE)
    .bind(Noop::PRIORITY)
    .bind(i32::from(Noop::MAX_ATTEMPTS))
    .bind(i32::from(Noop::MAX_CRASHES))
    .bind(i64::try_from(Noop::TIMEOUT.as_millis())?)
    .execute(conn)
    .await?;
    Ok(())
}
