//! Random operations on a real database beside a model of what they should do. After each of them every job is where the
//! model has it: none is lost, doubled or stranded, no limit is passed, keys and dependencies hold.

/// What may happen.
mod action;
/// What should come of it.
mod world;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use millrace_queue::{
    Backoff, Kind, Limit, NewJob, Registry, State, UniqueKey, discard, enqueue_all, limit_kind,
    limit_queue, pause_kind, pause_queue, request_cancel, rescue, resume_kind, resume_queue, retry,
    testing::{Runner, time_passes},
};
use proptest::{
    sample::Index,
    test_runner::{Config, RngSeed, TestCaseError, TestRunner},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use self::{
    action::{Action, Ask, DELAY, KEYS, KINDS, LEASE, MOST, PASSES, PERIOD, QUEUES, UNIQUE, Wish},
    world::World,
};
use crate::harness::Db;

#[derive(Serialize, Deserialize)]
struct Red {
    n: i64,
}

#[derive(Serialize, Deserialize)]
struct Blue {
    n: i64,
}

impl Kind for Red {
    const KIND: &'static str = KINDS[0];
    const QUEUE: &'static str = QUEUES[0];
}

impl Kind for Blue {
    const KIND: &'static str = KINDS[1];
    const QUEUE: &'static str = QUEUES[0];
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(60 * n)
}

/// `PROPTEST_CASES` and `PROPTEST_RNG_SEED` say how many and which; a failure tells its seed and the shortest way to it.
#[test]
fn whatever_happens_the_queue_is_as_its_model() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let db = runtime.block_on(Db::new());
    runtime.block_on(begin(&db));
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => rand::random(),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    let steps = proptest::collection::vec(action::action(), 20..40);
    let tried = TestRunner::new(config).run(&steps, |actions| {
        let played = runtime.block_on(play(&db, &actions));
        played.map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    if let Err(error) = tried {
        panic!("PROPTEST_RNG_SEED={seed} repeats it: {error}");
    }
}

/// Kinds and limits, as a worker brings them.
async fn begin(db: &Db) {
    let registry = Registry::new()
        .register::<Red>(|_, _, ()| Box::pin(async { Ok(millrace_queue::Done::Completed) }))
        .register::<Blue>(|_, _, ()| Box::pin(async { Ok(millrace_queue::Done::Completed) }))
        .limit(Limit::new("duo").at_once(2))
        .limit(Limit::new("rate").rate(2, minutes(PERIOD)));
    Runner::new(db.pool.clone(), registry, ())
        .await
        .expect("registered");
}

async fn play(db: &Db, actions: &[Action]) -> Result<()> {
    let mut conn = db.pool.acquire().await?;
    for text in [
        "delete from queue.job",
        "delete from queue.history",
        "delete from queue.unique_key",
        "delete from queue.dependency",
        "delete from queue.rate_use",
        "delete from queue.tally",
        "delete from queue.queue where name <> '*'",
        "update queue.kind set paused_at = null, max_running = null, gates_as_of = null",
    ] {
        sqlx::query(text).execute(&mut *conn).await?;
    }
    let mut world = World::default();
    for (n, action) in actions.iter().enumerate() {
        let what = || format!("step {n}, {action:?}");
        act(&mut conn, &mut world, action, n)
            .await
            .with_context(what)?;
        compare(&mut conn, &world).await.with_context(what)?;
    }
    Ok(())
}

/// Does it to both.
async fn act(conn: &mut PgConnection, world: &mut World, action: &Action, n: usize) -> Result<()> {
    let running = |job: &world::Job| job.state == State::Running;
    match action {
        Action::Enqueue(wishes) => enqueue(conn, world, wishes, n).await?,
        Action::Claim {
            queue,
            free,
            regate,
        } => {
            claim(conn, world, *queue, *free, *regate).await?;
        }
        Action::Complete(index) => {
            if let Some(place) = pick(world, index, running) {
                let token = world.jobs[place].token;
                ensure!(end(conn, world.jobs[place].id, token, State::Completed).await? == 1);
                world.end(&[(place, State::Completed)]);
            }
        }
        Action::Fail(index) => {
            if let Some(place) = pick(world, index, running) {
                let job = &world.jobs[place];
                if job.attempt >= job.max_attempts {
                    ensure!(end(conn, job.id, job.token, State::Discarded).await? == 1);
                    world.end(&[(place, State::Discarded)]);
                } else {
                    put_back(conn, world, place, State::Retryable, false).await?;
                }
            }
        }
        Action::Snooze(index) => {
            if let Some(place) = pick(world, index, running) {
                put_back(conn, world, place, State::Scheduled, true).await?;
            }
        }
        Action::Release(index) => {
            if let Some(place) = pick(world, index, running) {
                put_back(conn, world, place, State::Available, true).await?;
            }
        }
        Action::Late(index, ends) => {
            if let Some(place) = pick(world, index, |job| !job.lost.is_empty()) {
                let job = &world.jobs[place];
                let token = job.lost.last().copied();
                let changed = if *ends {
                    end(conn, job.id, token, State::Completed).await?
                } else {
                    back(conn, job.id, token, State::Available, true).await?
                };
                ensure!(changed == 0, "a late answer changed something");
            }
        }
        Action::Cancel(index) => {
            if let Some(place) = pick(world, index, |job| !job.state.is_terminal()) {
                let id = world.jobs[place].id.into();
                drop(request_cancel(conn, id, "unwanted").await?.wake);
                world.cancel(place);
            }
        }
        Action::Discard(index) => {
            if let Some(place) = pick(world, index, |job| !job.state.is_terminal()) {
                let steered = discard(conn, world.jobs[place].id.into(), "enough").await?;
                ensure!(steered.done);
                world.end(&[(place, State::Discarded)]);
            }
        }
        Action::Retry(index) => {
            if let Some(place) = pick(world, index, |_| true) {
                let steered = retry(conn, world.jobs[place].id.into()).await?;
                let expected = world.retry(place);
                ensure!(
                    steered.done == expected,
                    "retried: {}, not {expected}",
                    steered.done
                );
            }
        }
        Action::Rescue => {
            drop(rescue(conn).await?.wake);
            world.rescue();
        }
        Action::Promote => {
            sqlx::query("select queue.promote(1000)")
                .execute(conn)
                .await?;
            world.promote();
        }
        Action::Pass(which) => {
            time_passes(conn, minutes(PASSES[*which])).await?;
            world.now += PASSES[*which];
        }
        Action::PauseQueue(queue, on) => {
            if *on {
                pause_queue(conn, QUEUES[*queue], "ann", None).await?;
            } else {
                drop(resume_queue(conn, QUEUES[*queue]).await?.wake);
            }
            world.paused_queues[*queue] = *on;
        }
        Action::LimitQueue(queue, most, fair) => {
            drop(limit_queue(conn, QUEUES[*queue], *most, *fair).await?.wake);
            world.most_of_queue[*queue] = *most;
        }
        Action::PauseKind(kind, on) => {
            let switched = if *on {
                pause_kind(conn, KINDS[*kind], "ann", None).await?
            } else {
                resume_kind(conn, KINDS[*kind]).await?
            };
            ensure!(switched.done);
            world.paused_kinds[*kind] = *on;
        }
        Action::LimitKind(kind, most) => {
            ensure!(limit_kind(conn, KINDS[*kind], *most).await?.done);
            world.most_of_kind[*kind] = *most;
        }
    }
    Ok(())
}

fn pick(world: &World, index: &Index, is: impl Fn(&world::Job) -> bool) -> Option<usize> {
    let all = world.all(is);
    (!all.is_empty()).then(|| *index.get(&all))
}

async fn enqueue(
    conn: &mut PgConnection,
    world: &mut World,
    wishes: &[Wish],
    step: usize,
) -> Result<()> {
    let n = i64::try_from(step * 100)?;
    let before = world.jobs.len();
    let mut jobs: Vec<NewJob> = Vec::new();
    for (i, wish) in wishes.iter().enumerate() {
        let n = n + i64::try_from(i)?;
        let mut job = match wish.kind {
            0 => NewJob::new(&Red { n }),
            _ => NewJob::new(&Blue { n }),
        };
        job = job.queue(QUEUES[wish.queue]).priority(wish.priority);
        job = job
            .max_attempts(wish.max_attempts)
            .max_crashes(wish.max_crashes);
        job = job.backoff(Backoff::NONE);
        if wish.delayed {
            job = job.delay(minutes(DELAY));
        }
        if let Some(key) = wish.key {
            job = job.limit_key(KEYS[key]);
        }
        if let Some(owner) = wish.owner {
            job = job.owner(Uuid::from_u128(owner.into()));
        }
        if let Some((key, ask)) = wish.unique {
            let until_done = UniqueKey::until_done(UNIQUE[key]);
            job = job.unique(match ask {
                Ask::Keep => until_done,
                Ask::Period => UniqueKey::for_period(UNIQUE[key], minutes(PERIOD)),
                Ask::Replace => until_done.replacing(),
                Ask::Debounce => until_done.debouncing(minutes(MOST)),
                Ask::WhileAvailable => until_done.while_in([State::Available]),
            });
        }
        if let Some((index, ignore)) = wish.parent.filter(|_| before > 0) {
            let parent = [world.jobs[index.index(before)].id.into()];
            job = if ignore {
                job.after_any_outcome(&parent)
            } else {
                job.after(&parent)
            };
        }
        if let Some(last) = jobs.last().filter(|_| wish.chained) {
            job = job.after(&[last.id()]);
        }
        jobs.push(job);
    }
    let ids: Vec<Uuid> = jobs.iter().map(|job| job.id().0).collect();
    let answer = enqueue_all(conn, jobs).await?;
    drop(answer.wake);
    let expected = world.enqueue(wishes, &ids, n);
    let placed: Vec<world::Placed> = answer
        .ids
        .iter()
        .map(|placed| world::Placed {
            id: placed.id.0,
            new: placed.new,
            replaced: placed.replaced,
        })
        .collect();
    ensure!(placed == expected, "placed {placed:?}, not {expected:?}");
    Ok(())
}

/// Claims without gates and then behind them. What is claimed has to be free to run; and after the gates were brought up to
/// date, nothing that is free is left while there was room.
async fn claim(
    conn: &mut PgConnection,
    world: &mut World,
    queue: usize,
    free: usize,
    regate: bool,
) -> Result<()> {
    if regate {
        // Until it has nothing to do and knows that.
        for _ in 0..2 {
            sqlx::query("select queue.regate(1000)")
                .execute(&mut *conn)
                .await?;
        }
    }
    let (token, worker) = (Uuid::now_v7(), Uuid::nil());
    let lease = i64::try_from(minutes(LEASE).as_millis())?;
    let mut claimed: Vec<Uuid> = sqlx::query_scalar(include_str!("../../../src/claim.sql"))
        .bind([QUEUES[queue]])
        .bind([i64::try_from(free)?])
        .bind(KINDS)
        .bind(token)
        .bind(lease)
        .bind(worker)
        .fetch_all(&mut *conn)
        .await?;
    let left = free - claimed.len();
    if left > 0 {
        let gated: Vec<Uuid> = sqlx::query_scalar(
            "select id from queue.claim_gated($1, $2, array[''], $3, $4, $5, $6)
              where id <> '00000000-0000-0000-0000-000000000000'",
        )
        .bind([QUEUES[queue]])
        .bind([i64::try_from(left)?])
        .bind(KINDS)
        .bind(token)
        .bind(lease)
        .bind(worker)
        .fetch_all(&mut *conn)
        .await?;
        claimed.extend(gated);
    }
    for &id in &claimed {
        let place = world.at(id).context("an unknown job was claimed")?;
        ensure!(world.jobs[place].queue == queue, "of another queue");
        if let Some(why) = world.refusal(place) {
            bail!("{id} was claimed, but {why}");
        }
        world.claim(place, token);
    }
    ensure!(claimed.len() <= free, "{} of {free}", claimed.len());
    if regate && claimed.len() < free {
        let stranded = world.all(|job| job.queue == queue);
        let stranded = stranded
            .into_iter()
            .find(|&place| world.refusal(place).is_none());
        if let Some(place) = stranded {
            let job = &world.jobs[place];
            let gate: Option<String> =
                sqlx::query_scalar("select gate from queue.job where id = $1")
                    .bind(job.id)
                    .fetch_one(conn)
                    .await?;
            bail!(
                "nothing keeps {job:?} from running, and it was not claimed; its gate is {gate:?}"
            );
        }
    }
    Ok(())
}

async fn end(conn: &mut PgConnection, id: Uuid, token: Option<Uuid>, state: State) -> Result<i64> {
    let changed = sqlx::query_scalar(
        "select count(ended) from queue.end_jobs(array[$1::uuid], array[$2::uuid], array[$3::text::queue.state],
             array[null::text], array[null::text], array[null::jsonb], array[null::jsonb])",
    )
    .bind(id)
    .bind(token)
    .bind(state.as_str())
    .fetch_one(conn)
    .await?;
    Ok(changed)
}

async fn back(
    conn: &mut PgConnection,
    id: Uuid,
    token: Option<Uuid>,
    state: State,
    refund: bool,
) -> Result<i64> {
    let delay = (state != State::Available).then(|| minutes(DELAY).as_millis());
    let changed = sqlx::query_scalar(
        "select count(ended) from queue.put_back(array[$1::uuid], array[$2::uuid], array[$3::text::queue.state],
             array[$4::bigint], array[$5::boolean], array[null::jsonb])",
    )
    .bind(id)
    .bind(token)
    .bind(state.as_str())
    .bind(delay.map(i64::try_from).transpose()?)
    .bind(refund)
    .fetch_one(conn)
    .await?;
    Ok(changed)
}

async fn put_back(
    conn: &mut PgConnection,
    world: &mut World,
    place: usize,
    state: State,
    refund: bool,
) -> Result<()> {
    let job = &world.jobs[place];
    ensure!(back(conn, job.id, job.token, state, refund).await? == 1);
    world.put_back(place, state, refund);
    Ok(())
}

/// A job as it is.
#[derive(Debug, PartialEq, sqlx::FromRow)]
struct Seen {
    id: Uuid,
    state: State,
    attempt: i32,
    crash_count: i32,
    run_no: i32,
    pending: i32,
    priority: i16,
    n: Json<i64>,
    token: Option<Uuid>,
}

/// Every job is once where it should be, and every key and dependency.
async fn compare(conn: &mut PgConnection, world: &World) -> Result<()> {
    let mut seen: Vec<Seen> = sqlx::query_as(
        "select id, state, attempt, crash_count, run_no, pending, priority, args -> 'n' as n, token from queue.job
         union all
         select id, state, attempt, crash_count, run_no, 0, priority, args -> 'n', null from queue.history",
    )
    .fetch_all(&mut *conn)
    .await?;
    seen.sort_by_key(|job| job.id);
    let mut expected: Vec<Seen> = world
        .jobs
        .iter()
        .map(|job| Seen {
            id: job.id,
            state: job.state,
            attempt: job.attempt,
            crash_count: job.crashes,
            run_no: job.run_no,
            pending: i32::try_from(job.parents.len()).unwrap_or(i32::MAX),
            priority: job.priority,
            n: Json(job.n),
            token: job.token,
        })
        .collect();
    expected.sort_by_key(|job| job.id);
    ensure!(
        seen.len() == expected.len(),
        "{} jobs, not {}",
        seen.len(),
        expected.len()
    );
    for (seen, expected) in seen.iter().zip(&expected) {
        ensure!(seen == expected, "{seen:?}\nbut should be\n{expected:?}");
    }
    let keys: BTreeMap<String, Uuid> = sqlx::query_as(
        "select key, job_id from queue.unique_key where expires_at is null or expires_at > clock_timestamp()",
    )
    .fetch_all(&mut *conn)
    .await?
    .into_iter()
    .collect();
    let held: BTreeMap<String, Uuid> = world
        .held()
        .into_iter()
        .map(|(key, id)| (key.to_owned(), id))
        .collect();
    ensure!(keys == held, "keys {keys:?}, not {held:?}");
    let edges: i64 = sqlx::query_scalar("select count(*) from queue.dependency")
        .fetch_one(conn)
        .await?;
    let parents: usize = world.jobs.iter().map(|job| job.parents.len()).sum();
    ensure!(
        edges == i64::try_from(parents)?,
        "{edges} dependencies, not {parents}"
    );
    Ok(())
}
