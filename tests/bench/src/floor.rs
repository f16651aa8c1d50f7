//! What plain SQL over a bare table reaches: no lease, no fence, no history, no retries, no kinds. Whoever writes a queue
//! for one afternoon writes this one, and what an engine adds is measured against it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::{
    sync::{Mutex, Semaphore, mpsc},
    task::JoinSet,
    time::Instant,
};

use crate::{
    cluster::{Cluster, Database},
    contest::Sample,
    fixture,
    machine::{Watch, quiet},
    program::{self, Program},
    worker::{Said, now},
};

/// Names on the command line.
pub(crate) const DRAIN: &str = "floor-drain";
pub(crate) const LISTEN: &str = "floor-listen";
pub(crate) const EFFECT: &str = "floor-effect";

/// Jobs per fetch, and at most twice as many per acknowledgement.
const BATCH: i64 = 500;
/// Handlers at the same time.
const HANDLERS: usize = 64;

/// The usual job table of an afternoon, with the one index that its fetch needs.
const SCHEMA: &str = "
    create table job (
        id          bigint generated always as identity primary key,
        queue       text not null,
        state       smallint not null default 0, -- 0 ready, 1 running, 2 done
        priority    smallint not null default 0,
        attempt     smallint not null default 0,
        run_at      timestamptz not null default now(),
        created_at  timestamptz not null default now(),
        started_at  timestamptz,
        finished_at timestamptz,
        worker      text,
        payload     jsonb not null
    );
    create index job_ready on job (queue, priority, run_at, id) where state = 0;
    create table effect (job bigint primary key, at timestamptz not null default now())";

/// The array keeps one plan whatever the batch: a join against the limited select flips to a scan of the whole table.
const FETCH: &str = "
    update job set state = 1, attempt = attempt + 1, started_at = now(), worker = 'floor'
     where id = any(array(
           select id from job where queue = $1 and state = 0 and run_at <= now()
            order by priority, run_at, id limit $2 for update skip locked))
    returning id, payload";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Spec {
    url: String,
    /// Connections that complete jobs.
    connections: usize,
}

/// What a drain says at its end.
#[derive(Debug, Serialize, Deserialize)]
struct Drained {
    jobs: u64,
    seconds: f64,
}

#[derive(Debug, Deserialize)]
struct Payload {
    id: i64,
}

async fn database(cluster: &Cluster) -> Result<Database> {
    cluster
        .database_made_by("floor", async |db| db.sql(SCHEMA).await)
        .await
}

async fn filled(cluster: &Cluster, jobs: u64) -> Result<Database> {
    let db = database(cluster).await?;
    db.sql(&format!(
        "truncate job, effect;
         insert into job (queue, payload) select 'bench', jsonb_build_object('id', n) from generate_series(1, {jobs}) as g(n)"
    ))
    .await?;
    fixture::settle(&db, "job").await?;
    Ok(db)
}

/// Measures the drain of `jobs`, batched at both ends and pipelined.
pub(crate) async fn measure_drain(cluster: &Cluster, jobs: u64) -> Result<Sample> {
    let db = filled(cluster, jobs).await?;
    measure(cluster, DRAIN, &db, 1, jobs).await
}

/// Measures jobs that are completed one by one, each in a transaction with its effect.
pub(crate) async fn measure_effect(
    cluster: &Cluster,
    connections: usize,
    jobs: u64,
) -> Result<Sample> {
    let db = filled(cluster, jobs).await?;
    let sample = measure(cluster, EFFECT, &db, connections, jobs).await?;
    let effects: i64 = sqlx::query_scalar("select count(*) from effect")
        .fetch_one(&mut db.conn().await?)
        .await?;
    anyhow::ensure!(
        u64::try_from(effects)? == jobs,
        "{effects} effects of {jobs} jobs"
    );
    Ok(sample)
}

async fn measure(
    cluster: &Cluster,
    part: &str,
    db: &Database,
    connections: usize,
    jobs: u64,
) -> Result<Sample> {
    let spec = Spec {
        url: db.url.clone(),
        connections,
    };
    let mut program = Program::own(part, &spec)?;
    program.ready().await?;
    quiet().await;
    let watch = Watch::start(cluster.pid()?);
    program.go().await?;
    let drained: Drained = program.answer().await?;
    let usage = watch.stop();
    let done: i64 = sqlx::query_scalar("select count(*) from job where state = 2")
        .fetch_one(&mut db.conn().await?)
        .await?;
    anyhow::ensure!(
        drained.jobs == jobs && u64::try_from(done)? == jobs,
        "{done} of {jobs} jobs are done"
    );
    Ok(Sample {
        value: jobs as f64 / drained.seconds,
        usage,
        ..Sample::default()
    })
}

/// Starts the process that the `start_*` figures compare with: LISTEN and fetch.
pub(crate) async fn start_listening(cluster: &Cluster) -> Result<(Program, Database)> {
    let db = filled(cluster, 0).await?;
    let spec = Spec {
        url: db.url.clone(),
        connections: 1,
    };
    let mut program = Program::own(LISTEN, &spec)?;
    program.ready().await?;
    program.go().await?;
    Ok((program, db))
}

/// Enqueues one job for it, and wakes it within the same statement.
pub(crate) async fn enqueue(conn: &mut PgConnection, id: i64) -> Result<()> {
    sqlx::query(
        "with put as (insert into job (queue, payload) values ('bench', jsonb_build_object('id', $1::bigint)) returning id)
         select pg_notify('job', '') from put",
    )
    .bind(id)
    .execute(conn)
    .await?;
    Ok(())
}

async fn fetch(conn: &mut PgConnection) -> Result<Vec<(i64, Payload)>> {
    let rows: Vec<(i64, sqlx::types::Json<Payload>)> = sqlx::query_as(FETCH)
        .bind("bench")
        .bind(BATCH)
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, payload)| (id, payload.0))
        .collect())
}

async fn acknowledge(conn: &mut PgConnection, ids: &[i64]) -> Result<()> {
    sqlx::query("update job set state = 2, finished_at = now() where id = any($1) and state = 1")
        .bind(ids)
        .execute(conn)
        .await?;
    Ok(())
}

/// In a process of its own: one connection fetches, one acknowledges, each job is a task.
pub(crate) async fn drain(spec: Spec) -> Result<()> {
    let options: PgConnectOptions = spec.url.parse()?;
    let (mut fetcher, mut acker) = (options.connect().await?, options.connect().await?);
    let _orders = program::ready().await?;
    let began = Instant::now();
    let (jobs, mut waiting) = mpsc::channel(2 * BATCH as usize);
    let (done, mut finished) = mpsc::unbounded_channel();
    let fetching = tokio::spawn(async move {
        loop {
            let batch = fetch(&mut fetcher).await?;
            if batch.is_empty() {
                return anyhow::Ok(());
            }
            for job in batch {
                jobs.send(job).await?;
            }
        }
    });
    let acknowledging = tokio::spawn(async move {
        let mut count = 0;
        let mut ids = Vec::new();
        while finished.recv_many(&mut ids, 2 * BATCH as usize).await > 0 {
            acknowledge(&mut acker, &ids).await?;
            count += ids.len() as u64;
            ids.clear();
        }
        anyhow::Ok(count)
    });
    let places = Arc::new(Semaphore::new(HANDLERS));
    while let Some((id, payload)) = waiting.recv().await {
        let place = places.clone().acquire_owned().await?;
        let done = done.clone();
        tokio::spawn(async move {
            std::hint::black_box(payload.id);
            let _ = done.send(id);
            drop(place);
        });
    }
    drop(done);
    fetching.await??;
    let jobs = acknowledging.await??;
    end(jobs, began)
}

/// In a process of its own: batches are fetched, and each job is completed in a transaction that inserts its effect.
pub(crate) async fn effect(spec: Spec) -> Result<()> {
    let options: PgConnectOptions = spec.url.parse()?;
    let mut fetcher = options.connect().await?;
    let mut connections = Vec::new();
    for _ in 0..spec.connections {
        connections.push(options.connect().await?);
    }
    let _orders = program::ready().await?;
    let began = Instant::now();
    let (sender, receiver) = mpsc::channel::<i64>(2 * BATCH as usize);
    let receiver = Arc::new(Mutex::new(receiver));
    let count = Arc::new(AtomicU64::new(0));
    let mut lanes = JoinSet::new();
    for mut conn in connections {
        let (receiver, count) = (receiver.clone(), count.clone());
        lanes.spawn(async move {
            loop {
                let Some(id) = receiver.lock().await.recv().await else {
                    return anyhow::Ok(());
                };
                let mut tx = conn.begin().await?;
                let held = sqlx::query(
                    "update job set state = 2, finished_at = now() where id = $1 and state = 1",
                )
                .bind(id)
                .execute(&mut *tx)
                .await?;
                anyhow::ensure!(held.rows_affected() == 1, "job {id} is not ours");
                sqlx::query("insert into effect (job) values ($1)")
                    .bind(id)
                    .execute(&mut *tx)
                    .await?;
                tx.commit().await?;
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    loop {
        let batch = fetch(&mut fetcher).await?;
        if batch.is_empty() {
            break;
        }
        for (id, _) in batch {
            sender.send(id).await?;
        }
    }
    drop(sender);
    while let Some(lane) = lanes.join_next().await {
        lane??;
    }
    end(count.load(Ordering::Relaxed), began)
}

fn end(jobs: u64, began: Instant) -> Result<()> {
    program::say(&Drained {
        jobs,
        seconds: began.elapsed().as_secs_f64(),
    })?;
    // The reader of the input may still sit in a read that nobody can take back.
    std::process::exit(0)
}

/// In a process of its own: waits for NOTIFY, fetches, says when each job was there.
pub(crate) async fn listen(spec: Spec) -> Result<()> {
    let options: PgConnectOptions = spec.url.parse()?;
    let mut conn = options.connect().await?;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(options)
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("job").await?;
    let mut orders = program::ready().await?;
    loop {
        tokio::select! {
            heard = listener.recv() => { heard.context("the listener ended")?; }
            order = orders.next_line() => if order?.is_none() { std::process::exit(0) },
        }
        loop {
            let batch = fetch(&mut conn).await?;
            if batch.is_empty() {
                break;
            }
            for (_, payload) in &batch {
                program::say(&Said::Started(payload.id, now()))?;
            }
            let ids: Vec<i64> = batch.iter().map(|(id, _)| *id).collect();
            acknowledge(&mut conn, &ids).await?;
        }
    }
}
